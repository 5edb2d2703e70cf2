/**
 * A value that is kept for a while, by the monotonic clock. While a new one cannot be had, the last one is handed out: a file
 * that is missing for a moment of its rotation must not stop requests whose credentials still hold.
 */
export class Fresh<T> {
  #value: T | undefined;
  #loadedAt = -Infinity;
  #loading: Promise<T> | undefined;

  constructor(
    private readonly load: () => Promise<T>,
    private readonly keepMs: number,
  ) {}

  /** @throws what loading threw, when there never was a value */
  async get(): Promise<T> {
    if (this.#value !== undefined && performance.now() - this.#loadedAt < this.keepMs) return this.#value;
    this.#loading ??= this.#refresh();
    return this.#loading;
  }

  /** The next `get` loads. */
  expire(): void {
    this.#loadedAt = -Infinity;
  }

  async #refresh(): Promise<T> {
    try {
      const value = await this.load();
      this.#value = value;
      this.#loadedAt = performance.now();
      return value;
    } catch (error) {
      if (this.#value === undefined) throw error;
      return this.#value;
    } finally {
      this.#loading = undefined;
    }
  }
}
