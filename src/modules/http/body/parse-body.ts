import { InvalidInputError, joinPath } from '@symphony/model';
import { isPair, isScalar, isSeq, parseDocument, visit, type Document } from 'yaml';
import { firstRoundedNumber, isExact } from './exact-numbers.js';
import { refuseUnsafe } from './refuse-unsafe.js';

/** YAML is read a hundred times slower than JSON, on the thread that serves everybody. */
const LONGEST_YAML = 1024 * 1024;
const MOST_ALIASES = 100;

/**
 * Decodes a body: JSON first, else YAML 1.2 (core schema, one document, no tags of its own). Nothing is changed on the
 * way: what cannot be held exactly is refused.
 * @returns undefined for a blank text; a YAML text without keys is a string, which the reader of the body refuses.
 * @throws InvalidInputError (400) that names the place.
 */
export function parseBodyText(text: string): unknown {
  if (text.trim() === '') return undefined;
  const json = tryJson(text);
  if ('value' in json) {
    refuseUnsafe(json.value);
    const path = roundedNumber(text);
    if (path !== undefined) throw roundedNumberError(path);
    return json.value;
  }
  const value = parseYaml(text, /^\s*[[{]/.test(text) ? json.problem : undefined);
  refuseUnsafe(value);
  return value;
}

function tryJson(text: string): { value: unknown } | { problem: string } {
  try {
    return { value: JSON.parse(text) as unknown };
  } catch (error) {
    return { problem: positionOf((error as Error).message) };
  }
}

/** Node quotes the text around the fault; it may hold a secret, so only the place is kept. */
function positionOf(message: string): string {
  return /at position \d+( \(line \d+ column \d+\))?/.exec(message)?.[0] ?? 'at its end';
}

function roundedNumber(text: string): string | undefined {
  try {
    return firstRoundedNumber(text);
  } catch {
    // Only a repeated key can hide what the first reader saw: the exact reader met a depth that was overwritten.
    throw unreadable('it repeats a key');
  }
}

/** @param jsonProblem where JSON went wrong, when the text was probably meant as JSON. */
function parseYaml(text: string, jsonProblem: string | undefined): unknown {
  const meant = jsonProblem === undefined ? undefined : `as JSON it is wrong ${jsonProblem}`;
  if (text.length > LONGEST_YAML)
    throw unreadable(meant ?? 'it is not JSON, and YAML may have at most 1 MiB');
  try {
    // Without unique keys: that check takes time by the square of their number. The last of equal keys counts.
    const document = parseDocument(text, {
      uniqueKeys: false,
      stringKeys: true,
      merge: false,
      version: '1.2',
    });
    const [fault] = [...document.errors, ...document.warnings];
    if (fault) {
      const [position] = fault.linePos ?? [];
      const place = position ? ` in line ${position.line}, column ${position.col}` : '';
      throw unreadable(meant ?? `it is neither JSON nor YAML${place} (${fault.code})`);
    }
    refuseRoundedNumbers(document);
    return document.toJS({ maxAliasCount: MOST_ALIASES }) as unknown;
  } catch (error) {
    if (error instanceof InvalidInputError) throw error;
    // The parser recurses, and counts aliases, by throwing.
    throw unreadable(meant ?? 'it is nested too deep, or repeats itself by too many aliases');
  }
}

function refuseRoundedNumbers(document: Document.Parsed): void {
  visit(document, {
    Scalar(_key, node, ancestors) {
      if (typeof node.value !== 'number') return;
      const source = node.source ?? String(node.value);
      const exact = /^0[xo]/.test(source) ? Number.isSafeInteger(node.value) : isExact(source);
      if (!exact) throw roundedNumberError(yamlPath([...ancestors, node]));
    },
  });
}

function yamlPath(nodes: readonly unknown[]): string {
  let path = '';
  nodes.forEach((node, index) => {
    const next = nodes[index + 1];
    if (isPair(node) && isScalar(node.key)) path = joinPath(path, String(node.key.value));
    else if (isSeq(node) && next !== undefined) path += `[${node.items.indexOf(next)}]`;
  });
  return path;
}

function roundedNumberError(path: string): InvalidInputError {
  const message = 'the number cannot be kept exactly; put it in quotes';
  return new InvalidInputError(`The body cannot be used: ${path || 'it'}: ${message}.`, [{ path, message }]);
}

function unreadable(why: string): InvalidInputError {
  return new InvalidInputError(
    `The body cannot be read: ${why}.`,
    [{ path: '', message: `send JSON or YAML: ${why}` }],
    'BodyNotReadable',
  );
}
