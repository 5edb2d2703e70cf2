import { compareVersions } from '../client/index.js';
import { epochOf, holderOf, type Lease } from './lease.js';

/** Who leads, as last seen. */
export interface Leader {
  identity: string;
  epoch: number;
  /** Of the Lease: what the leader says of itself, such as where it serves. */
  annotations: Readonly<Record<string, string>>;
}

/**
 * Judges by this process's monotonic clock whether a Lease may be taken: when its holder has given it up, or has written
 * nothing for a whole lease since we saw its last write. What the Lease says about times is not looked at: clocks differ and
 * jump. A Lease that was deleted counts as held for just as long, since its holder does not know of that yet.
 */
export class LeaseObserver {
  #lease: Lease | undefined;
  #record = '';
  /** The last that was seen, and until when it has to be thought alive. */
  #holder: string | undefined;
  #heldUntil = 0;
  #highestEpoch = 0;

  constructor(private readonly leaseMs: number) {}

  /** Takes over a state of the Lease; undefined when there is none. Older states than the known one are left out. */
  see(lease: Lease | undefined): void {
    if (lease && this.#isOld(lease)) return;
    this.#lease = lease;
    this.rememberEpoch(epochOf(lease));
    const record = JSON.stringify([lease?.metadata.uid, lease?.spec]);
    if (record === this.#record) return;
    this.#record = record;
    if (!lease) return;
    this.#holder = holderOf(lease);
    this.#heldUntil = this.#holder === undefined ? 0 : performance.now() + this.#durationOf(lease);
  }

  /** No term gets this epoch, or a lower one, any more. */
  rememberEpoch(epoch: number): void {
    this.#highestEpoch = Math.max(this.#highestEpoch, epoch);
  }

  get highestEpoch(): number {
    return this.#highestEpoch;
  }

  /** Milliseconds until the Lease may be taken by this process; 0 for now. */
  freeIn(identity: string): number {
    // Our own: a term of this very process that has ended.
    if (this.#holder === identity) return 0;
    return Math.max(0, this.#heldUntil - performance.now());
  }

  get leader(): Leader | undefined {
    const identity = holderOf(this.#lease);
    if (identity === undefined || performance.now() >= this.#heldUntil) return undefined;
    return {
      identity,
      epoch: epochOf(this.#lease),
      annotations: this.#lease?.metadata.annotations ?? {},
    };
  }

  #isOld({ metadata: { uid, resourceVersion = '' } }: Lease): boolean {
    const known = this.#lease?.metadata;
    return known?.uid === uid && (compareVersions(resourceVersion, known?.resourceVersion ?? '') ?? 1) < 0;
  }

  /** The holder may have been configured with a longer lease than we were. */
  #durationOf({ spec }: Lease): number {
    return Math.max(this.leaseMs, (spec?.leaseDurationSeconds ?? 0) * 1000);
  }
}
