import { ExpressionError } from './errors.js';

/** One value that an expression wants from outside. */
export interface LookupNeed {
  readonly kind: 'config' | 'secret';
  /** From `provider::object`; absent: the only provider, or those of the configured precedence. */
  readonly provider?: string;
  readonly object: string;
  /** Empty (Symphony's users also write `""`, two quote characters) asks for the whole object. */
  readonly field: string;
  /** Objects that go first, in order; `$config` only. */
  readonly overlays?: readonly string[];
}

/**
 * What a provider answered. A `value` of a config may hold templates, which are evaluated; a secret is taken as
 * it is, and so is a config value marked `sensitive`. `NotFound`: no such object or field. `NoProvider`: nothing is
 * configured to ask. `Failed`: could not be read now; the only failure that a retry may mend.
 */
export type LookupAnswer =
  | { readonly value: unknown; readonly sensitive?: boolean }
  | { readonly failure: 'NotFound' | 'NoProvider' | 'Failed'; readonly message: string };

/**
 * The answers known so far. Holds secrets in clear: keep it for one run and never store or log it.
 */
export class LookupTable {
  private readonly answers = new Map<string, LookupAnswer>();

  get(need: LookupNeed): LookupAnswer | undefined {
    return this.answers.get(lookupKey(need));
  }

  set(need: LookupNeed, answer: LookupAnswer): void {
    this.answers.set(lookupKey(need), answer);
  }

  get size(): number {
    return this.answers.size;
  }

  /** Keeps the answers out of whatever prints or stores the table by mistake. */
  toJSON(): string {
    return `${this.answers.size} answers`;
  }
}

/** The identity of a need: equal needs have equal keys. */
export function lookupKey(need: LookupNeed): string {
  return JSON.stringify([need.kind, need.provider ?? null, need.object, need.field, need.overlays ?? []]);
}

/** Thrown by an evaluation that lacks answers: not a failure but a question. `resolveLookups` answers it. */
export class LookupNeeded extends Error {
  constructor(readonly needs: readonly LookupNeed[]) {
    super('The expression needs values that must be looked up first; evaluate it within resolveLookups.');
    this.name = 'LookupNeeded';
  }
}

/**
 * Evaluates all items, also when some lack answers, and asks for all that is missing at once: one round of
 * look-ups instead of one per item. An ExpressionError of any item is thrown as it is.
 */
export function gatherLookups<T, R>(items: Iterable<T>, evaluate: (item: T) => R): R[] {
  const results: R[] = [];
  const needs = new Map<string, LookupNeed>();
  for (const item of items) {
    try {
      results.push(evaluate(item));
    } catch (error) {
      if (!(error instanceof LookupNeeded)) throw error;
      for (const need of error.needs) needs.set(lookupKey(need), need);
    }
  }
  if (needs.size > 0) throw new LookupNeeded([...needs.values()]);
  return results;
}

/** Look-ups of one run, all rounds together: a bound for configuration that refers to ever more configuration. */
const maxLookups = 1000;
/** Providers asked at the same time. */
const fetchesAtOnce = 8;

/**
 * Runs a pure evaluation, fetches what it asks for into the table, and runs it again until nothing is missing.
 *
 * `run` must be repeatable and use a context whose `lookups` is `table`. A `fetch` that throws counts as the
 * answer `Failed` (with no detail: the cause may hold secrets), unless the signal was aborted: then that is thrown.
 */
export async function resolveLookups<T>(
  table: LookupTable,
  fetch: (need: LookupNeed) => Promise<LookupAnswer>,
  run: () => T,
  signal?: AbortSignal,
): Promise<T> {
  for (;;) {
    signal?.throwIfAborted();
    const needs: LookupNeed[] = [];
    try {
      return run();
    } catch (error) {
      if (!(error instanceof LookupNeeded)) throw error;
      needs.push(...error.needs.filter((need) => table.get(need) === undefined));
    }
    if (needs.length === 0) throw new Error('resolveLookups: run must evaluate with the table it was given');
    if (table.size + needs.length > maxLookups) {
      throw new ExpressionError(
        'ExpressionTooManySteps',
        `The expressions need more than ${maxLookups} values of configurations and secrets; use fewer.`,
      );
    }
    await answerAll(table, needs, fetch, signal);
  }
}

async function answerAll(
  table: LookupTable,
  needs: readonly LookupNeed[],
  fetch: (need: LookupNeed) => Promise<LookupAnswer>,
  signal: AbortSignal | undefined,
): Promise<void> {
  const queue = needs.values();
  const worker = async (): Promise<void> => {
    for (const need of queue) {
      signal?.throwIfAborted();
      table.set(need, await answerOne(need, fetch, signal));
    }
  };
  await Promise.all(Array.from({ length: Math.min(fetchesAtOnce, needs.length) }, worker));
}

async function answerOne(
  need: LookupNeed,
  fetch: (need: LookupNeed) => Promise<LookupAnswer>,
  signal: AbortSignal | undefined,
): Promise<LookupAnswer> {
  try {
    return await fetch(need);
  } catch {
    signal?.throwIfAborted();
    return { failure: 'Failed', message: 'the provider could not be read' };
  }
}
