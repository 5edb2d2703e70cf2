import type { ObjectStatus, SummarySpec } from '@symphony/model';
import type { Claim } from '../queue/index.js';

/** What can be told of a run while it runs. */
export interface Progress {
  status?: ObjectStatus;
  summaryKey: string;
  generation: string;
  summary: SummarySpec;
}

/** Where progress is shown. Fenced, and best effort: no decision ever reads it. */
export abstract class ProgressStore {
  /** A run that ends sooner writes no progress here, in milliseconds: its outcome tells it all. */
  readonly afterMs: number = 500;
  abstract write(claim: Claim, progress: Progress): Promise<void>;
}

export interface ProgressOptions {
  /** See `ProgressStore`. */
  afterMs: number;
  /** At most one write per this many milliseconds. */
  everyMs: number;
}

const DEFAULTS: ProgressOptions = { afterMs: 500, everyMs: 1_000 };

/** Shows the progress of one run, from half a second on and at most once a second. */
export class ProgressSession {
  #timer: NodeJS.Timeout | undefined;
  #latest: (() => Progress) | undefined;
  #writing: Promise<void> = Promise.resolve();
  #ended = false;
  readonly #options: ProgressOptions;

  constructor(
    private readonly store: ProgressStore,
    private readonly claim: Claim,
    options: Partial<ProgressOptions> = {},
  ) {
    this.#options = { ...DEFAULTS, ...options };
    this.#schedule(this.#options.afterMs);
  }

  /** Says how to describe the present state; called only when it is written. */
  update(describe: () => Progress): void {
    this.#latest = describe;
    if (!this.#ended && this.#timer === undefined) this.#schedule(this.#options.everyMs);
  }

  /** No write starts after this, and none is under way when it resolves: the outcome is written last. */
  async end(): Promise<void> {
    this.#ended = true;
    clearTimeout(this.#timer);
    await this.#writing;
  }

  #schedule(delayMs: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const describe = this.#latest;
      this.#latest = undefined;
      if (!describe || this.#ended) return;
      // A lost store or a broken fence is met by the run's own writes, which act on it.
      this.#writing = this.store.write(this.claim, describe()).catch(() => undefined);
    }, delayMs);
  }
}
