/** Who is about to put something on a target, and which targets are being let go. In memory: only the leader writes ledgers. */
export class TargetGate {
  /** By uid of the target: what is about to be written down there. None of it rejects. */
  readonly #coming = new Map<string, Set<Promise<unknown>>>();
  /** By uid: how many are letting it go. */
  readonly #leaving = new Map<string, number>();

  isComing(targetUid: string): boolean {
    return this.#coming.has(targetUid);
  }

  isLeaving(targetUid: string): boolean {
    return this.#leaving.has(targetUid);
  }

  /** Does what may put something on a target. */
  async come<T>(targetUid: string, work: () => Promise<T>): Promise<T> {
    const coming = this.#coming.get(targetUid) ?? new Set();
    this.#coming.set(targetUid, coming);
    const mine = work();
    const settled = mine.catch(() => undefined);
    coming.add(settled);
    try {
      return await mine;
    } finally {
      coming.delete(settled);
      if (coming.size === 0) this.#coming.delete(targetUid);
    }
  }

  /** Resolves when all that is coming now has come, or has been refused. */
  async whenCome(targetUid: string): Promise<void> {
    const coming = this.#coming.get(targetUid);
    if (coming) await Promise.all(coming);
  }

  /** Does what lets a target go: until it has ended, `isLeaving` holds. */
  async leave<T>(targetUid: string, work: () => Promise<T>): Promise<T> {
    this.#leaving.set(targetUid, (this.#leaving.get(targetUid) ?? 0) + 1);
    try {
      return await work();
    } finally {
      const leaving = (this.#leaving.get(targetUid) ?? 1) - 1;
      if (leaving > 0) this.#leaving.set(targetUid, leaving);
      else this.#leaving.delete(targetUid);
    }
  }
}
