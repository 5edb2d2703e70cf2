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
 * Judges by this process's monotonic clock whether a Lease may be taken: when its holder has written nothing for a whole lease
 * since we saw its last write. What the Lease says about times is not looked at: clocks differ and jump.
 */
export class LeaseObserver {
  #lease: Lease | undefined;
  #record = '';
  #seenAt = 0;
  #highestEpoch = 0;

  constructor(private readonly leaseMs: number) {}

  /** Takes over a state of the Lease; undefined when there is none. Older states than the known one are left out. */
  see(lease: Lease | undefined): void {
    const known = this.#lease?.metadata;
    const sameObject = known !== undefined && lease?.metadata.uid === known.uid;
    const version = lease?.metadata.resourceVersion ?? '';
    if (sameObject && (compareVersions(version, known.resourceVersion ?? '') ?? 1) < 0) return;
    const record = JSON.stringify([lease?.metadata.uid, lease?.spec]);
    if (record !== this.#record) {
      this.#record = record;
      this.#seenAt = performance.now();
    }
    this.#lease = lease;
    this.rememberEpoch(epochOf(lease));
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
    const holder = holderOf(this.#lease);
    // Our own: a term of this very process that has ended.
    if (holder === undefined || holder === identity) return 0;
    return Math.max(0, this.#expiresAt - performance.now());
  }

  get leader(): Leader | undefined {
    const identity = holderOf(this.#lease);
    if (identity === undefined || performance.now() >= this.#expiresAt) return undefined;
    return {
      identity,
      epoch: epochOf(this.#lease),
      annotations: this.#lease?.metadata.annotations ?? {},
    };
  }

  /** The holder may have been configured with a longer lease than we were. */
  get #expiresAt(): number {
    const theirsMs = (this.#lease?.spec?.leaseDurationSeconds ?? 0) * 1000;
    return this.#seenAt + Math.max(this.leaseMs, theirsMs);
  }
}
