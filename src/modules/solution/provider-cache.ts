import type { TargetProvider } from '@symphony/provider-kit';

/** A provider that stays open until it is given back. */
export interface Lease {
  provider: TargetProvider;
  /** Gives it back; later calls do nothing. */
  release: () => void;
}

interface Kept {
  provider: TargetProvider;
  users: number;
}

/**
 * Keeps providers open so that their connections are reused: all that somebody uses, and of the others those used last. What is
 * in use is never closed, as its calls and watches would end with it.
 */
export class ProviderCache {
  /** The one that has been idle for longest first. */
  readonly #idle = new Map<string, Kept>();
  readonly #used = new Map<string, Kept>();

  /** @param max providers that are kept open, unless more are in use */
  constructor(private readonly max: number) {}

  /** For a look at what it is; it may be closed as soon as somebody else needs the room. */
  peek(key: string, create: () => TargetProvider): TargetProvider {
    return this.#find(key, create).provider;
  }

  /** For calls and watches. */
  lease(key: string, create: () => TargetProvider): Lease {
    const kept = this.#find(key, create);
    this.#idle.delete(key);
    this.#used.set(key, kept);
    kept.users++;
    let given = true;
    const release = (): void => {
      if (given) this.#giveBack(key, kept);
      given = false;
    };
    return { provider: kept.provider, release };
  }

  /** Closes all, also what is in use. */
  async close(): Promise<void> {
    const all = [...this.#idle.values(), ...this.#used.values()];
    this.#idle.clear();
    this.#used.clear();
    await Promise.allSettled(all.map(async ({ provider }) => provider.close?.()));
  }

  #find(key: string, create: () => TargetProvider): Kept {
    const known = this.#used.get(key) ?? this.#idle.get(key);
    const kept = known ?? { provider: create(), users: 0 };
    if (!known) this.#shrink(this.max - 1);
    // Moves it to the end: the map's order is the order of use.
    if (kept.users === 0) {
      this.#idle.delete(key);
      this.#idle.set(key, kept);
    }
    return kept;
  }

  #giveBack(key: string, kept: Kept): void {
    kept.users--;
    if (kept.users > 0 || this.#used.get(key) !== kept) return;
    this.#used.delete(key);
    this.#idle.set(key, kept);
    this.#shrink(this.max);
  }

  #shrink(size: number): void {
    for (const [key, { provider }] of this.#idle) {
      if (this.#idle.size + this.#used.size <= size) return;
      this.#idle.delete(key);
      provider.close?.().catch(() => undefined);
    }
  }
}
