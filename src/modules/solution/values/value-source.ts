import type { LookupAnswer, LookupNeed } from '@symphony/expressions';

/** A place that `$config` and `$secret` read from. */
export interface ValueSource {
  /** What `name::object` selects. */
  readonly name: string;
  /**
   * Answers one need of a deployment in `namespace`; `NotFound` lets the next source answer. A source that cannot read
   * now answers `Failed`, never `NotFound`.
   */
  lookup(need: LookupNeed, namespace: string, signal: AbortSignal): Promise<LookupAnswer>;
}

/** Those that only one mode has. They are asked last. */
export abstract class SourcesOfMode {
  abstract readonly sources: readonly ValueSource[];
}

/** Asks the sources in order. A source that fails ends the search: what it would have said is not known. */
export class ValueSources {
  readonly #sources: readonly ValueSource[];

  constructor(sources: readonly ValueSource[]) {
    this.#sources = sources;
  }

  async lookup(asking: LookupNeed, namespace: string, signal: AbortSignal): Promise<LookupAnswer> {
    // Symphony's users write "" for the whole object, and double quotes stay in the value.
    const need = asking.field === '""' ? { ...asking, field: '' } : asking;
    const asked =
      need.provider === undefined ? this.#sources : this.#sources.filter((s) => s.name === need.provider);
    if (asked.length === 0) {
      const known = this.#sources.map((source) => source.name).join(', ');
      return {
        failure: 'NoProvider',
        message: `there is no source "${need.provider ?? ''}"; known ones are ${known}`,
      };
    }
    for (const object of [...(need.overlays ?? []), need.object]) {
      for (const source of asked) {
        const answer = await source.lookup({ ...need, object }, namespace, signal);
        if (!('failure' in answer) || answer.failure !== 'NotFound') return answer;
      }
    }
    const what = need.field === '' ? need.object : `${need.object}, field ${need.field},`;
    return {
      failure: 'NotFound',
      message: `${what} is in none of the sources ${asked.map((s) => s.name).join(', ')}`,
    };
  }
}
