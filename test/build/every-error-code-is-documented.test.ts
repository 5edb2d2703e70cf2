import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { REASONS } from '@symphony/model';
import { describe, expect, test } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');
const LIBS = ['model', 'expressions', 'planning', 'provider-kit'];
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

/** Where errors are made: their classes, and the helpers that take a code. */
const MADE = /\bnew [A-Z]\w*Error\(|\bsuper\(|\bproblem\(|\brefusal\(/;
/** One word or several, each with a capital: what a code looks like, and hardly anything else in such a call. */
const CODE = /'([A-Z][a-z]+(?:[A-Z][a-z]+)*)'/g;
/** Codes outside of calls: defaults, the table of HTTP statuses, the list of the expression language. */
const LISTED = /\bcode = .*'|^ {2}\d{3}: '|^ {2}\| 'Expression/;

/** The codes that one file can give to an error. A call reaches to where the indentation of its first line is back. */
function codesOf(text: string): string[] {
  let begunAt: number | undefined;
  return text.split('\n').flatMap((line) => {
    const indentation = line.search(/\S/);
    if (begunAt !== undefined && indentation <= begunAt) begunAt = undefined;
    if (begunAt === undefined && MADE.test(line)) begunAt = indentation;
    return begunAt !== undefined || LISTED.test(line) ? matches(CODE, line) : [];
  });
}

function matches(pattern: RegExp, text: string): string[] {
  return [...text.matchAll(pattern)].map(([, code]) => code ?? '');
}

function codesOfTheSources(): Set<string> {
  const folders = ['src', ...LIBS.map((lib) => `libs/${lib}/src`)];
  const files = folders.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts'))
      .map((name) => join(folder, name)),
  );
  return new Set(files.flatMap((file) => codesOf(read(file))));
}

/** The second column of the table, and what may come at the start. */
function codesOfThePage(): Set<string> {
  const page = read('docs/errors.md');
  const cells = page.split('\n').map((line) => /^\| \d{3} +\|([^|]*)\|/.exec(line)?.[1] ?? '');
  const atTheStart = /^At the start[^]*?\n\n/m.exec(page)?.[0] ?? '';
  return new Set(matches(/`([A-Z][A-Za-z]+)`/g, cells.join('') + atTheStart));
}

describe('docs/errors.md', () => {
  const raised = codesOfTheSources();
  const described = codesOfThePage();
  const expressions = matches(/`(Expression[A-Z]\w+)`/g, read('docs/expressions.md'));

  test('describes every code that the engine can answer with, but for reasons, which have a page of their own', () => {
    const missing = [...raised].filter(
      (code) => !described.has(code) && !expressions.includes(code) && !(code in REASONS),
    );
    expect(missing).toEqual([]);
  });

  test('describes no code that the engine does not have', () => {
    expect(described.size).toBeGreaterThan(50);
    expect([...described].filter((code) => !raised.has(code))).toEqual([]);
  });
});
