import {
  type EvaluationContext,
  evaluateTemplate,
  ExpressionError,
  type JsonValue,
  type LookupAnswer,
  type LookupNeed,
  LookupTable,
  resolveLookups,
} from '@symphony/expressions';

/** Providers that answer with what they were asked: `$config(a,b)` is `a::b`, `$secret(a,b)` is `a>>b`. */
export async function echo(need: LookupNeed): Promise<LookupAnswer> {
  await Promise.resolve();
  return { value: `${need.object}${need.kind === 'config' ? '::' : '>>'}${need.field}` };
}

/** Evaluates one text with the given answers. */
export async function evaluateWith(
  text: string,
  context: EvaluationContext = {},
  fetch: (need: LookupNeed) => Promise<LookupAnswer> = echo,
): Promise<{ value: JsonValue; sensitive: boolean }> {
  const lookups = new LookupTable();
  return resolveLookups(lookups, fetch, () => evaluateTemplate(text, { ...context, lookups }));
}

/** The value of a text. */
export function valueOf(text: string, context: EvaluationContext = {}): JsonValue {
  return evaluateTemplate(text, context).value;
}

/** The ExpressionError that an evaluation ends with. */
export function errorOf(run: () => unknown): ExpressionError {
  try {
    run();
  } catch (error) {
    if (error instanceof ExpressionError) return error;
    throw error;
  }
  throw new Error('no error was thrown');
}
