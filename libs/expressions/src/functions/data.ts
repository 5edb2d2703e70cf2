import { argument, type Evaluation, type FunctionTable } from '../evaluation.js';
import { parseJson } from '../json.js';
import { jsonText, type Value } from '../values.js';
import { selected } from './context.js';

/** Functions that change the form of a value. */
export const dataFunctions: FunctionTable = {
  str: { arity: [1, 1], evaluate: (args, evaluation) => evaluation.textOf(argument(args, 0)) },
  json: {
    arity: [1, 1],
    evaluate: (args, evaluation) => jsonText(evaluation.evaluate(argument(args, 0)), evaluation.budget),
  },
  jsonpath: {
    arity: [2, 2],
    evaluate: (args, evaluation) => {
      const value = document(evaluation.evaluate(argument(args, 0)), evaluation);
      return selected(value, evaluation.nameOf(argument(args, 1)), evaluation);
    },
  },
  base64encode: {
    arity: [1, 1],
    evaluate: (args, evaluation) => {
      const bytes = Buffer.from(evaluation.textOf(argument(args, 0)), 'utf8');
      return evaluation.budget.produce(bytes.toString('base64'));
    },
  },
  base64decode: {
    arity: [1, 1],
    evaluate: (args, evaluation) => {
      const decoded = decodeBase64(evaluation.textOf(argument(args, 0)));
      if (decoded !== undefined) return evaluation.budget.produce(decoded);
      throw evaluation.error(
        'ExpressionInvalidArgument',
        'the argument is not base64 of UTF-8 text (standard alphabet, with padding)',
      );
    },
  },
};

/** Text is parsed as JSON; JSON text within JSON text is parsed once more, as `$json` of a text produces it. */
function document(value: Value, evaluation: Evaluation): Value {
  if (typeof value !== 'string') return value;
  const parsed = parseJson(value, evaluation.budget);
  if (parsed === undefined) {
    throw evaluation.error('ExpressionInvalidArgument', 'the first argument is text that is not JSON');
  }
  if (typeof parsed !== 'string' || !/^\s*[[{]/.test(parsed)) return parsed;
  return parseJson(parsed, evaluation.budget) ?? parsed;
}

function decodeBase64(text: string): string | undefined {
  const compact = text.replace(/[\r\n]/g, '');
  if (compact.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(compact)) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(compact, 'base64'));
  } catch {
    return undefined;
  }
}
