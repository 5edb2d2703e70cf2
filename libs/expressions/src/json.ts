import { parse } from 'lossless-json';
import { normalise } from './arithmetic.js';
import { ExpressionError } from './errors.js';
import type { Budget } from './limits.js';
import { toValue, type Value } from './values.js';

/** Parses JSON text without rounding integers. Undefined when it is not JSON; depth and size are limited. */
export function parseJson(text: string, budget: Budget): Value | undefined {
  checkNesting(text, budget);
  let parsed: unknown;
  try {
    parsed = parse(text, undefined, {
      parseNumber: (digits) => parseNumberToken(digits, budget),
      onDuplicateKey: ({ newValue }: { newValue: unknown }) => newValue,
    });
  } catch (error) {
    if (error instanceof ExpressionError) throw error;
    return undefined;
  }
  return toValue(parsed, budget);
}

function parseNumberToken(digits: string, budget: Budget): number | bigint | string {
  if (!/^-?\d+$/.test(digits)) return Number(digits);
  return digits.length > budget.limits.digits ? digits : normalise(BigInt(digits));
}

/** The parser is recursive: what is too deep for us must not reach it. */
function checkNesting(text: string, budget: Budget): void {
  budget.step(1 + Math.floor(text.length / 64));
  let depth = 0;
  let inString = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (inString) {
      if (character === '\\') at += 1;
      else if (character === '"') inString = false;
    } else if (character === '"') inString = true;
    else if (character === '{' || character === '[') budget.depth((depth += 1));
    else if (character === '}' || character === ']') depth -= 1;
  }
}
