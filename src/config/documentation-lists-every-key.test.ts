import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { AppConfig } from './app-config.js';
import { helpText, markdownTable } from './describe.js';
import { CONFIG_KEYS } from './keys.js';
import { loadConfig } from './load.js';

const PAGE = new URL('../../docs/configuration.md', import.meta.url);
const MARKS = /(<!-- keys:[^>]*-->\n)([\s\S]*?)(<!-- \/keys -->)/;

/** Cells without the blanks and dashes by which a formatter aligns columns. */
function cells(table: string): string[] {
  return table
    .trim()
    .split('\n')
    .map((line) =>
      line
        .replaceAll(/\s*\|\s*/g, '|')
        .replaceAll(/-{3,}/g, '-')
        .trim(),
    );
}

test('docs/configuration.md has the table of the keys, as the code has it', () => {
  const page = readFileSync(PAGE, 'utf8');
  if (process.env.UPDATE_DOCS) writeFileSync(PAGE, page.replace(MARKS, `$1\n${markdownTable()}\n\n$3`));
  const [, , table = ''] = MARKS.exec(readFileSync(PAGE, 'utf8')) ?? [];
  expect(cells(table), 'UPDATE_DOCS=1 writes the table').toEqual(cells(markdownTable()));
});

test('the help names every flag and every variable without a flag', () => {
  const help = helpText();
  for (const { flag, alias, env } of CONFIG_KEYS) {
    const names = [flag, alias].flatMap((name) => name ?? []);
    expect(help).toContain(
      names.length > 0 ? `${names.map((name) => `--${name}`).join(', ')} <` : (env ?? ''),
    );
  }
});

test('the table and the class have the same keys and the same defaults', () => {
  expect([...leaves(new AppConfig())].sort()).toEqual(
    CONFIG_KEYS.filter((row) => row.default !== undefined)
      .map((row) => row.key)
      .sort(),
  );
  const { config } = loadConfig({ cwd: '/' });
  config.dataDir = new AppConfig().dataDir;
  expect(config).toEqual(new AppConfig());
});

test('no two keys share a flag or a variable', () => {
  for (const field of ['key', 'env', 'short'] as const) {
    const values = CONFIG_KEYS.flatMap((row) => row[field] ?? []);
    expect(new Set(values).size).toBe(values.length);
  }
  const flags = CONFIG_KEYS.flatMap(({ flag, alias }) => [flag ?? [], alias ?? []].flat());
  expect(new Set(flags).size).toBe(flags.length);
});

function* leaves(node: object, prefix = ''): Generator<string> {
  for (const [key, value] of Object.entries(node) as [string, unknown][]) {
    if (value === undefined) continue;
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      yield* leaves(value, `${prefix}${key}.`);
    else yield prefix + key;
  }
}
