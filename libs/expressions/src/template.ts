import { type Expression, walk } from './ast.js';
import { ExpressionError } from './errors.js';
import { defaultLimits } from './limits.js';
import { parseExpression } from './parser.js';
import { endOfQuoted, isQuote } from './tokenizer.js';

export type Segment =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'expression'; readonly expression: Expression };

/** A parsed text: literal pieces and expressions, in order. */
export interface Template {
  readonly text: string;
  readonly segments: readonly Segment[];
}

const opening = '${{';
const closing = '}}';

/** True when the text may contain an expression; others pass through every evaluation untouched. */
export function hasExpression(text: string): boolean {
  return text.includes(opening);
}

/** True when the text is an expression and nothing else (or several, from its start to its end). */
export function isWhollyExpression(text: string): boolean {
  const trimmed = text.trim();
  return trimmed.startsWith(opening) && trimmed.endsWith(closing);
}

/** Parsed templates by text: the same solution is evaluated again and again. Small texts only, oldest out first. */
const cache = new Map<string, Template>();
const cacheEntries = 512;
const cachedLength = 4096;

/**
 * Cuts a text into literal pieces and parsed expressions. A `${{` that is never closed is literal text.
 * Throws ExpressionError: ExpressionSyntax, ExpressionTooDeep, ExpressionTooLarge.
 */
export function parseTemplate(text: string): Template {
  const known = cache.get(text);
  if (known) return known;
  const template = { text, segments: segmentsOf(text) };
  if (text.length <= cachedLength && hasExpression(text)) remember(text, template);
  return template;
}

function remember(text: string, template: Template): void {
  if (cache.size >= cacheEntries) {
    const [oldest] = cache.keys();
    if (oldest !== undefined) cache.delete(oldest);
  }
  cache.set(text, template);
}

function segmentsOf(text: string): Segment[] {
  const segments: Segment[] = [];
  let literalFrom = 0;
  let start = text.indexOf(opening);
  if (start !== -1 && text.length > defaultLimits.templateLength) {
    throw new ExpressionError(
      'ExpressionTooLarge',
      `A text with expressions may have ${defaultLimits.templateLength} characters; this one has ${text.length}.`,
    );
  }
  while (start !== -1) {
    const end = endOfExpression(text, start + opening.length);
    if (end === undefined) break;
    if (start > literalFrom) segments.push({ kind: 'text', text: text.slice(literalFrom, start) });
    const source = text.slice(start + opening.length, end);
    segments.push({ kind: 'expression', expression: parseExpression(source) });
    literalFrom = end + closing.length;
    start = text.indexOf(opening, literalFrom);
  }
  if (literalFrom < text.length) segments.push({ kind: 'text', text: text.slice(literalFrom) });
  return segments;
}

/** Where the closing braces stand; quotes hide them, but a quote that is not closed is an ordinary character. */
function endOfExpression(text: string, from: number): number | undefined {
  // Up to where a quote is known to stay open: looking again for each quote would take quadratic time.
  const openUntil = new Map<string, number>();
  for (let at = from; at < text.length; at += 1) {
    const character = text[at] ?? '';
    if (isQuote(character) && at >= (openUntil.get(character) ?? 0)) {
      const end = endOfQuoted(text, at);
      if (end !== undefined) at = end - 1;
      else openUntil.set(character, endOfQuoteSearch(text, at));
    } else if (character === '}' && text[at + 1] === '}') return at;
  }
  return undefined;
}

function endOfQuoteSearch(text: string, at: number): number {
  const lineEnd = text[at] === '`' ? -1 : text.indexOf('\n', at);
  return lineEnd === -1 ? text.length : lineEnd;
}

/**
 * True when an expression of the text names `$secret`, whether or not it would be reached. A text that cannot be
 * parsed counts as secret when it mentions one: masking too much is the safe mistake.
 */
export function referencesSecret(text: string | Template): boolean {
  if (typeof text === 'string' && !hasExpression(text)) return false;
  try {
    const { segments } = typeof text === 'string' ? parseTemplate(text) : text;
    return segments.some((segment) => segment.kind === 'expression' && callsSecret(segment.expression));
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    return /\$\s*secret/.test(typeof text === 'string' ? text : text.text);
  }
}

function callsSecret(expression: Expression): boolean {
  let found = false;
  for (const part of expression.parts) {
    walk(part, (node) => {
      found ||= node.kind === 'call' && node.name === 'secret';
    });
  }
  return found;
}
