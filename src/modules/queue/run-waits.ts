/** A run that has only waited for this many milliseconds gives its slot to another one. */
const LONG_MS = 50;

/**
 * What one run waits for outside of this process: the calls of providers. A run that has waited for long without anything
 * beginning or ending holds no slot, else a few targets that hang would hold back every object.
 */
export class RunWaits {
  #underWay = 0;
  #isLong = false;
  #timer: NodeJS.Timeout | undefined;

  /** @param onLong called when the run has begun to count as waiting */
  constructor(private readonly onLong: () => void) {}

  /** True while the run does nothing but wait, and for some time already. */
  get isLong(): boolean {
    return this.#isLong;
  }

  /** The run waits until this work has settled, among others maybe. */
  add(work: Promise<unknown>): void {
    this.#underWay++;
    this.#restart();
    const end = (): void => {
      this.#underWay--;
      this.#restart();
    };
    work.then(end, end);
  }

  /** Whatever begins or ends is progress. */
  #restart(): void {
    this.#isLong = false;
    if (this.#timer && this.#underWay > 0) {
      this.#timer.refresh();
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#underWay === 0) return;
    this.#timer = setTimeout(() => {
      this.#isLong = true;
      this.onLong();
    }, LONG_MS);
  }
}
