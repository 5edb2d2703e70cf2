import { messageOf } from '@symphony/model';
import { JobWaker, type WakeHint } from '../../../modules/queue/index.js';

/** Wakes the workers of this process, which are the only ones: lanes in memory are nobody else's. */
export class MemoryWaker extends JobWaker {
  readonly #listeners = new Set<(hint: WakeHint) => void>();
  readonly #waiting = new Set<() => void>();

  constructor(private readonly onProblem: (message: string) => void = () => undefined) {
    super();
  }

  override wake(hint: WakeHint): void {
    for (const listener of this.#listeners) {
      try {
        listener(hint);
      } catch (error) {
        this.onProblem(`a listener of wake-ups failed: ${messageOf(error)}`);
      }
    }
  }

  /** Tells whoever waits for a posted deployment. */
  finished(): void {
    for (const done of this.#waiting) done();
  }

  override nextFinished(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#waiting.add(done);
    });
  }

  /** @returns a function that ends it */
  onWake(listener: (hint: WakeHint) => void): () => void {
    // A function of its own, so that the same listener may be given twice.
    const entry = (hint: WakeHint): void => listener(hint);
    this.#listeners.add(entry);
    return () => this.#listeners.delete(entry);
  }
}
