import { UnavailableError } from '@symphony/model';

export interface GatherOptions {
  /** A batch larger than this holds its locks for too long. */
  maxBatch: number;
  /** Batches under way at the same time. */
  atOnce: number;
}

const DEFAULTS: GatherOptions = { maxBatch: 500, atOnce: 1 };

interface Waiting<T, R> {
  item: T;
  resolve: (result: R) => void;
  reject: (error: unknown) => void;
}

/**
 * Does together what is asked for in the same moment. One batch is under way at a time, or a few, and what comes meanwhile
 * makes the next one: nobody waits for a timer, and the busier it is the larger the batches get.
 */
export class Gather<T, R> {
  #waiting: Waiting<T, R>[] = [];
  #busy = 0;
  readonly #options: GatherOptions;

  /** @param work answers in the order of its items; when it rejects, all of the batch reject */
  constructor(
    private readonly work: (items: readonly T[]) => Promise<readonly R[]>,
    options: Partial<GatherOptions> = {},
  ) {
    this.#options = { ...DEFAULTS, ...options };
  }

  add(item: T): Promise<R> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject });
      if (this.#busy >= this.#options.atOnce) return;
      this.#busy++;
      // Not at once: what ends in the same turn of the event loop goes along.
      setImmediate(() => void this.#drain());
    });
  }

  async #drain(): Promise<void> {
    while (this.#waiting.length > 0) await this.#flush(this.#waiting.splice(0, this.#options.maxBatch));
    this.#busy--;
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

export interface GatherWork<T, R> {
  /**
   * Does all of them in one go, waiting for no lock, so that none is held up by another.
   * @returns in the order of the items; undefined for one that has to be done alone
   */
  together(items: readonly T[]): Promise<readonly (R | undefined)[]>;
  /** Does one by itself: what is locked, or spoilt the batch by what it is. Its answer and its errors are final. */
  alone(item: T): Promise<R>;
}

/** Gathers what can be done together, and does the rest alone. */
export class GatherOrAlone<T, R> {
  readonly #gather: Gather<T, { done: R | undefined }>;

  constructor(
    private readonly work: GatherWork<T, R>,
    options: Partial<GatherOptions> = {},
  ) {
    this.#gather = new Gather(async (items) => {
      const results = await work.together(items);
      return items.map((_, i) => ({ done: results[i] }));
    }, options);
  }

  async add(item: T): Promise<R> {
    try {
      const { done } = await this.#gather.add(item);
      if (done !== undefined) return done;
    } catch (error) {
      // A store that is away is away for each of them; anything else is the fault of one.
      if (error instanceof UnavailableError) throw error;
    }
    return this.work.alone(item);
  }
}
