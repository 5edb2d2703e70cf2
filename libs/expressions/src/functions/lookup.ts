import type { Node } from '../ast.js';
import { argument, type Evaluation, type FunctionTable } from '../evaluation.js';
import { type LookupAnswer, LookupNeeded, lookupKey, type LookupNeed } from '../lookups.js';

/** Functions whose values come from providers of configuration and secrets. */
export const lookupFunctions: FunctionTable = {
  config: {
    arity: [2, Number.POSITIVE_INFINITY],
    evaluate: (args, evaluation) => {
      const overlays = args.slice(2).map((overlay) => evaluation.nameOf(overlay));
      const need = needOf('config', args, evaluation, overlays);
      const { value, sensitive } = answered(need, evaluation);
      if (sensitive === true) {
        // Not a template either: the message about a mistake in it would quote it.
        evaluation.markSensitive();
        return evaluation.adopt(value);
      }
      return evaluation.resolve(evaluation.adopt(value), `config ${lookupKey(need)}`, 'any');
    },
  },
  secret: {
    arity: [2, 2],
    evaluate: (args, evaluation) => {
      // First of all, so that also the message of a failure is treated as one that may tell a secret.
      evaluation.markSensitive();
      const { value } = answered(needOf('secret', args, evaluation), evaluation);
      return evaluation.format(evaluation.adopt(value));
    },
  },
};

function needOf(
  kind: LookupNeed['kind'],
  args: readonly Node[],
  evaluation: Evaluation,
  overlays: readonly string[] = [],
): LookupNeed {
  const name = evaluation.nameOf(argument(args, 0));
  const field = evaluation.nameOf(argument(args, 1));
  const split = name.indexOf('::');
  return {
    kind,
    ...(split > 0 && { provider: name.slice(0, split) }),
    object: split > 0 ? name.slice(split + 2) : name,
    field,
    ...(overlays.length > 0 && { overlays }),
  };
}

function answered(need: LookupNeed, evaluation: Evaluation): { value: unknown; sensitive?: boolean } {
  const { lookups } = evaluation.context;
  const what = need.kind === 'config' ? 'configuration' : 'secret';
  if (lookups === undefined) {
    throw evaluation.error('ExpressionNoProvider', `no ${what} provider is available; configure one`);
  }
  const answer = lookups.get(need);
  if (answer === undefined) throw new LookupNeeded([need]);
  if ('failure' in answer) throw failure(need, what, answer, evaluation);
  return answer;
}

const codes = {
  NotFound: 'ExpressionLookupNotFound',
  NoProvider: 'ExpressionNoProvider',
  Failed: 'ExpressionLookupFailed',
} as const;

function failure(
  need: LookupNeed,
  what: string,
  answer: Extract<LookupAnswer, { failure: unknown }>,
  evaluation: Evaluation,
): Error {
  const provider = need.provider === undefined ? '' : ` in provider ${evaluation.shown(need.provider)}`;
  const message = `${what} ${evaluation.shown(need.object)}, field ${evaluation.shown(need.field)}${provider}: ${answer.message}`;
  return evaluation.error(codes[answer.failure], message);
}
