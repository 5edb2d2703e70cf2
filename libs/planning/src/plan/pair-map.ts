/**
 * A map by two texts, for example a target and a component. Not by one text made of both: to make, hash and keep those would
 * cost more than everything else that a plan of a hundred thousand components does.
 */
export class PairMap<V> {
  private readonly maps = new Map<string, Map<string, V>>();

  get(first: string, second: string): V | undefined {
    return this.maps.get(first)?.get(second);
  }

  set(first: string, second: string, value: V): void {
    const known = this.maps.get(first);
    if (known) known.set(second, value);
    else this.maps.set(first, new Map([[second, value]]));
  }
}

/** A map of lists by two texts. */
export class PairLists<V> {
  private readonly lists = new PairMap<V[]>();

  of(first: string, second: string): readonly V[] {
    return this.lists.get(first, second) ?? [];
  }

  add(first: string, second: string, value: V): void {
    const known = this.lists.get(first, second);
    if (known) known.push(value);
    else this.lists.set(first, second, [value]);
  }
}
