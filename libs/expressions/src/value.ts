import type { EvaluationContext } from './context.js';
import { ExpressionError } from './errors.js';
import { Evaluator } from './evaluator.js';
import { Budget } from './limits.js';
import { LookupNeeded, lookupKey, type LookupNeed } from './lookups.js';
import { hasExpression, referencesSecret } from './template.js';
import { isList, isMap } from './values.js';

/** The result of evaluating a JSON value. */
export interface EvaluatedValue {
  /** The evaluated value. Parts without expressions are the very same objects as in the input: do not change them. */
  readonly value: unknown;
  /** Paths whose value depends on a secret, for example `env.PASSWORD` or `files[0].content`. */
  readonly sensitive: readonly string[];
}

/**
 * Evaluates every text in a JSON value; keys, numbers and texts without `${{` stay as they are, byte for byte.
 * JSON inside a text is text: its expressions are replaced in place and nothing is re-serialised.
 *
 * Throws ExpressionError with the path of the failing text, or LookupNeeded with all answers that are missing.
 */
export function evaluateValue(value: unknown, context: EvaluationContext): EvaluatedValue {
  const evaluator = new Evaluator(context);
  const needs = new Map<string, LookupNeed>();
  const sensitive: string[] = [];
  const evaluated = mapTexts(value, evaluator.budget, (text, path) => {
    try {
      const result = evaluator.evaluateText(text);
      if (result.sensitive) sensitive.push(path);
      return result.value;
    } catch (error) {
      if (error instanceof ExpressionError) throw error.at(path);
      if (!(error instanceof LookupNeeded)) throw error;
      for (const need of error.needs) needs.set(lookupKey(need), need);
      return text;
    }
  });
  if (needs.size > 0) throw new LookupNeeded([...needs.values()]);
  return { value: evaluated, sensitive };
}

/**
 * Paths of the texts whose expression uses `$secret`, as evaluateValue writes paths. Only what the value itself
 * says: a secret that comes in through `$config` or `$property` shows up in `sensitive` of the evaluated value.
 */
export function secretReferences(value: unknown): string[] {
  const paths: string[] = [];
  mapTexts(value, new Budget(), (text, path) => {
    if (referencesSecret(text)) paths.push(path);
    return text;
  });
  return paths;
}

/** A path of keys and positions as text: `env.PASSWORD`, `ports[0]`, `labels["a.b"]`; empty for the value itself. */
export function formatPath(keys: readonly (string | number)[]): string {
  return keys.reduce<string>((path, key) => path + pathStep(path, key), '');
}

function pathStep(path: string, key: string | number): string {
  if (typeof key === 'number') return `[${key}]`;
  if (!/^[\w$-]+$/.test(key)) return `[${JSON.stringify(key)}]`;
  return path === '' ? key : `.${key}`;
}

/** A copy with every text that contains an expression changed; shares what did not change. */
function mapTexts(value: unknown, budget: Budget, change: (text: string, path: string) => unknown): unknown {
  const keys: (string | number)[] = [];
  const child = (item: unknown, key: string | number): unknown => {
    keys.push(key);
    const result = visit(item);
    keys.pop();
    return result;
  };
  const visit = (item: unknown): unknown => {
    if (typeof item === 'string') return hasExpression(item) ? change(item, formatPath(keys)) : item;
    if (typeof item !== 'object' || item === null) return item;
    budget.step(0.1);
    budget.depth(keys.length);
    if (isList(item)) {
      const items = item.map((entry, index) => child(entry, index));
      return items.some((entry, index) => entry !== item[index]) ? items : item;
    }
    if (!isMap(item)) return item;
    const entries = Object.entries(item).map(([key, entry]) => [key, child(entry, key)] as const);
    return entries.some(([key, entry]) => entry !== item[key]) ? Object.fromEntries(entries) : item;
  };
  return visit(value);
}
