/** Where an item is in the heap that has it; -1: in none. Kept by the heap. */
export interface HeapItem {
  slot: number;
}

/**
 * A binary heap that can also give up any of its items: orders that fold change the due time of a lane that waits. Each item
 * knows its slot, so that push, pop and remove are O(log n) and nothing is searched. (The small heaps of npm can only pop, or
 * look for an item from the front.)
 */
export class Heap<T extends HeapItem> {
  readonly #items: T[] = [];

  /** @param before whether the first goes before the second; items must not change their order while they are in */
  constructor(private readonly before: (a: T, b: T) => boolean) {}

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    this.#items.push(item);
    this.#rise(item, this.#items.length - 1);
  }

  pop(): T | undefined {
    const first = this.#items[0];
    if (first) this.remove(first);
    return first;
  }

  /** @param item must be in this heap */
  remove(item: T): void {
    const { slot } = item;
    item.slot = -1;
    const last = this.#items.pop();
    if (!last || last === item) return;
    const parent = this.#items[(slot - 1) >> 1];
    if (slot > 0 && parent && this.before(last, parent)) this.#rise(last, slot);
    else this.#sink(last, slot);
  }

  #rise(item: T, from: number): void {
    let at = from;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = this.#items[up];
      if (!parent || !this.before(item, parent)) break;
      this.#place(parent, at);
      at = up;
    }
    this.#place(item, at);
  }

  #sink(item: T, from: number): void {
    let at = from;
    for (;;) {
      const left = this.#items[2 * at + 1];
      const right = this.#items[2 * at + 2];
      const child = left && right && this.before(right, left) ? right : left;
      if (!child || !this.before(child, item)) break;
      const down = child.slot;
      this.#place(child, at);
      at = down;
    }
    this.#place(item, at);
  }

  #place(item: T, at: number): void {
    this.#items[at] = item;
    item.slot = at;
  }
}
