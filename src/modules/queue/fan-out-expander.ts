import type { JobManagerOptions } from './job-manager-options.js';
import type { JobStore } from './job-store.js';
import { Latch } from './latch.js';

const MAX_RETRY_MS = 5_000;

/** Orders the dependents of what was written, page by page, as long as fan-outs wait. */
export class FanOutExpander {
  readonly #latch = new Latch();
  readonly #stopping = new AbortController();
  #loop: Promise<void> = Promise.resolve();

  constructor(
    private readonly store: JobStore,
    private readonly options: JobManagerOptions,
    private readonly log: NonNullable<JobManagerOptions['log']>,
  ) {}

  start(): void {
    this.#loop = this.#run();
  }

  wake(): void {
    this.#latch.open();
  }

  /** Resolves when the page under way is written. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const stopping = this.#stopping.signal;
    let waitMs = this.options.pollMs;
    while (!stopping.aborted) {
      try {
        const expanded = await this.store.expandFanOuts(this.options.fanOutPage);
        waitMs = this.options.pollMs;
        if (expanded) continue;
      } catch (error) {
        this.log.warn({ msg: 'Dependents could not be ordered, trying again' }, error);
        waitMs = Math.min(MAX_RETRY_MS, this.options.pollMs);
      }
      await this.#latch.wait(waitMs, stopping);
    }
  }
}
