interface Entry<V> {
  value: V;
  /** On the monotonic clock. */
  until: number;
}

/** Answers that hold for a short while; the oldest go when there are too many. */
export class ExpiringCache<V> {
  readonly #entries = new Map<string, Entry<V>>();

  /** @param now a monotonic clock in milliseconds */
  constructor(
    private readonly most: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (!entry) return undefined;
    if (entry.until > this.now()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** Holds for `ms`; not at all when that is not a time to come. */
  set(key: string, value: V, ms: number): void {
    this.#entries.delete(key);
    if (!(ms > 0)) return;
    this.#entries.set(key, { value, until: this.now() + ms });
    if (this.#entries.size <= this.most) return;
    for (const oldest of this.#entries.keys()) {
      this.#entries.delete(oldest);
      return;
    }
  }

  get size(): number {
    return this.#entries.size;
  }
}
