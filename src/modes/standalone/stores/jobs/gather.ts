/** A batch larger than this holds its locks for too long. */
const MAX_BATCH = 500;

interface Waiting<T, R> {
  item: T;
  resolve: (result: R) => void;
  reject: (error: unknown) => void;
}

/**
 * Does together what is asked for in the same moment. One batch is under way at a time, and what comes meanwhile makes the
 * next one: nobody waits for a timer, and the busier it is the larger the batches get.
 */
export class Gather<T, R> {
  #waiting: Waiting<T, R>[] = [];
  #busy = false;

  /** @param work answers in the order of its items; when it rejects, all of the batch reject */
  constructor(private readonly work: (items: readonly T[]) => Promise<readonly R[]>) {}

  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#busy) return;
      this.#busy = true;
      // Not at once: what ends in the same turn of the event loop goes along.
      setImmediate(() => void this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) await this.#flush(this.#waiting.splice(0, MAX_BATCH));
    this.#busy = false;
  }

  async #flush(batch: readonly Waiting<T, R>[]): Promise<void> {
    try {
      const results = await this.work(batch.map(({ item }) => item));
      batch.forEach(({ resolve, reject }, i) => {
        const result = results[i];
        if (result === undefined) reject(new Error('a batch answered less than it was asked'));
        else resolve(result);
      });
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  }
}
