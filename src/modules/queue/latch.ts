/** Something to wait at until it is opened; an opening that nobody waited for is kept for the next one. */
export class Latch {
  #opened = false;
  #release: (() => void) | undefined;

  open(): void {
    this.#opened = true;
    this.#release?.();
  }

  /** Resolves when opened, when the time is over, or when the signal aborts; never rejects. For one waiter at a time. */
  async wait(ms: number, signal?: AbortSignal): Promise<void> {
    if (!this.#opened && !signal?.aborted) await this.#sleep(ms, signal);
    this.#opened = false;
  }

  #sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', done);
        this.#release = undefined;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#release = done;
      signal?.addEventListener('abort', done, { once: true });
    });
  }
}

/** Resolves after the time, or at once when the signal aborts. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Latch().wait(ms, signal);
}
