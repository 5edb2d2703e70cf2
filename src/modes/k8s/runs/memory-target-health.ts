import type { Reason } from '@symphony/model';
import { TargetHealth, type UnhealthyTarget } from '../../../modules/solution/index.js';

export interface MemoryHealthOptions {
  /** A target that does not answer is left alone from the first time; one that cannot be read, from this many on. */
  readFailures: number;
  /** Milliseconds until the first probe; doubles up to `maxMs`. */
  firstMs: number;
  maxMs: number;
  /** The same for a target that was only suspected, because its calls were cut short. */
  maxSuspectedMs: number;
  /** Calls that were cut short may be without an answer for so long, one after the other. */
  bearableSilenceMs: number;
  /** A probe that does not come back is given to another run after so many milliseconds. */
  probeShareMs: number;
}

const DEFAULTS: MemoryHealthOptions = {
  readFailures: 3,
  firstMs: 2_000,
  maxMs: 300_000,
  maxSuspectedMs: 10_000,
  bearableSilenceMs: 2_000,
  probeShareMs: 30_000,
};

interface Breaker {
  failures: number;
  silentMs: number;
  /** By the monotonic clock; undefined while it is closed. */
  openUntil: number | undefined;
  probing: boolean;
  reason: Reason;
}

/**
 * The breakers of the leader, in its memory: a new leader begins with all of them closed and learns by itself. The rules are
 * those of the SQL in standalone mode (postgres-target-health.ts).
 */
export class MemoryTargetHealth extends TargetHealth {
  readonly #breakers = new Map<string, Breaker>();
  readonly #options: MemoryHealthOptions;

  /** @param onRecovered told of a target whose breaker was open, for those who wait for it */
  constructor(
    private readonly onRecovered: (targetUid: string) => void,
    options: Partial<MemoryHealthOptions> = {},
    private readonly now: () => number = () => performance.now(),
  ) {
    super();
    this.#options = { ...DEFAULTS, ...options };
  }

  override failed(targetUid: string, reason: Reason): Promise<number | undefined> {
    const { readFailures, firstMs, maxMs } = this.#options;
    const threshold = reason.code === 'ProviderTimeout' ? 1 : readFailures;
    const breaker = this.#breakerOf(targetUid, reason);
    const open = (breaker.openUntil ?? 0) > this.now();
    // Calls that were under way when it opened tell nothing new when they fail too; only the probe does.
    if (!open || breaker.probing) {
      breaker.failures += 1;
      const more = Math.max(0, Math.min(breaker.failures - threshold, 20));
      // One that was open stays open, whatever its probe failed of.
      const opens = breaker.openUntil !== undefined || breaker.failures >= threshold;
      breaker.openUntil = opens ? this.now() + Math.min(maxMs, firstMs * 2 ** more) : undefined;
    }
    Object.assign(breaker, { probing: false, reason });
    return Promise.resolve(this.#retryMs(breaker));
  }

  override suspected(targetUid: string, reason: Reason, silentMs: number): Promise<number | undefined> {
    const { firstMs, maxSuspectedMs, bearableSilenceMs } = this.#options;
    const breaker = this.#breakerOf(targetUid, reason);
    const open = (breaker.openUntil ?? 0) > this.now();
    if (!open || breaker.probing) {
      breaker.silentMs += silentMs;
      if (breaker.probing) breaker.failures += 1;
      const wait = Math.min(maxSuspectedMs, firstMs * 2 ** Math.min(breaker.failures, 20));
      const opens = breaker.openUntil !== undefined || breaker.silentMs >= bearableSilenceMs;
      breaker.openUntil = opens ? this.now() + wait : undefined;
    }
    Object.assign(breaker, { probing: false, reason });
    return Promise.resolve(this.#retryMs(breaker));
  }

  override recovered(targetUid: string): Promise<void> {
    const breaker = this.#breakers.get(targetUid);
    this.#breakers.delete(targetUid);
    if (breaker?.openUntil !== undefined) this.onRecovered(targetUid);
    return Promise.resolve();
  }

  override takeProbe(targetUid: string): Promise<boolean> {
    const breaker = this.#breakers.get(targetUid);
    if (!breaker || (breaker.openUntil ?? 0) > this.now()) return Promise.resolve(false);
    breaker.openUntil = this.now() + this.#options.probeShareMs;
    breaker.probing = true;
    return Promise.resolve(true);
  }

  /** What is known of these targets. */
  unhealthy(targetUids: readonly string[]): UnhealthyTarget[] {
    return targetUids.flatMap((targetUid) => {
      const breaker = this.#breakers.get(targetUid);
      if (!breaker || (breaker.failures === 0 && breaker.openUntil === undefined)) return [];
      const open = breaker.openUntil !== undefined;
      return [{ targetUid, reason: breaker.reason, open, retryMs: this.#retryMs(breaker) ?? 0 }];
    });
  }

  get open(): number {
    return [...this.#breakers.values()].filter(({ openUntil }) => openUntil !== undefined).length;
  }

  /** A target is gone for good. */
  forget(targetUid: string): void {
    this.#breakers.delete(targetUid);
  }

  clear(): void {
    this.#breakers.clear();
  }

  #breakerOf(targetUid: string, reason: Reason): Breaker {
    const known = this.#breakers.get(targetUid);
    if (known) return known;
    const breaker: Breaker = { failures: 0, silentMs: 0, openUntil: undefined, probing: false, reason };
    this.#breakers.set(targetUid, breaker);
    return breaker;
  }

  #retryMs({ openUntil }: Breaker): number | undefined {
    return openUntil === undefined ? undefined : Math.max(0, openUntil - this.now());
  }
}
