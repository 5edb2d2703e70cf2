import type { KubeObject, ResourceType } from '../client/index.js';
import { MOST_TERM } from './term.js';

/** All of it is written by the holder. Times are for people: nobody here decides by them. */
export interface LeaseSpec {
  /** Empty or absent when nobody holds it. */
  holderIdentity?: string | null;
  leaseDurationSeconds?: number | null;
  acquireTime?: string | null;
  renewTime?: string | null;
  /** How often it was acquired: the epoch of the term. */
  leaseTransitions?: number | null;
}

export interface Lease extends KubeObject {
  spec?: LeaseSpec;
}

export const LEASES: ResourceType<Lease> = {
  group: 'coordination.k8s.io',
  version: 'v1',
  plural: 'leases',
  kind: 'Lease',
  namespaced: true,
};

export function holderOf(lease: Lease | undefined): string | undefined {
  return lease?.spec?.holderIdentity || undefined;
}

/** A count that was made up by hand says nothing, and must not use up the numbers: what was led is also known from records. */
export function epochOf(lease: Lease | undefined): number {
  const count = lease?.spec?.leaseTransitions ?? 0;
  return count >= 0 && count <= 2 * MOST_TERM ? count : 0;
}

/** Kubernetes' `MicroTime`: RFC 3339 with six decimals. */
export function microTime(at = new Date()): string {
  return at.toISOString().replace('Z', '000Z');
}
