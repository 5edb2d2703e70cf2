import { AccessError } from '@symphony/model';
import { pause, type ApiClient } from '../client/index.js';
import { OtherEngineError } from './errors.js';
import { holderOf, LEASES, type Lease } from './lease.js';

/** The id with which Eclipse Symphony's controller elects its leader; in the namespace of its pod. */
const SYMPHONY_LEASE = '33405cb8.symphony';
/** Of Symphony's controller-runtime, for a Lease that does not say. */
const DEFAULT_LEASE_SECONDS = 15;
const LOOK_MS = 1_000;

/**
 * Refuses to run beside Eclipse Symphony's own controller: in all namespaces when that may be read, else in those that are
 * given. A Lease that nobody renews for as long as it lasts, by our own clock, was left behind and is no hindrance; finding
 * that out takes that long.
 * @throws OtherEngineError while it is held; the signal's reason
 */
export async function refuseBesideSymphony(
  client: ApiClient,
  namespaces: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const first = await heldLeases(client, namespaces, signal);
  if (first.length === 0) return;
  const began = performance.now();
  for (;;) {
    await pause(LOOK_MS, signal);
    signal?.throwIfAborted();
    const now = await heldLeases(client, namespaces, signal);
    const suspects = now.filter((lease) => first.some((known) => isSame(known, lease)));
    const renewed = now.find((lease) => !suspects.includes(lease));
    if (renewed) {
      throw new OtherEngineError(holderOf(renewed) ?? '', renewed.metadata.namespace ?? '');
    }
    const leaseSeconds = suspects.map(({ spec }) => spec?.leaseDurationSeconds ?? DEFAULT_LEASE_SECONDS);
    if (performance.now() - began >= Math.max(0, ...leaseSeconds) * 1000) return;
  }
}

/** The same state of the same object: nobody has written it in between. */
function isSame(a: Lease, b: Lease): boolean {
  return a.metadata.uid === b.metadata.uid && a.metadata.resourceVersion === b.metadata.resourceVersion;
}

async function heldLeases(
  client: ApiClient,
  namespaces: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Lease[]> {
  const selection = { fieldSelector: `metadata.name=${SYMPHONY_LEASE}`, signal };
  const held = (leases: Lease[]): Lease[] => leases.filter((lease) => holderOf(lease) !== undefined);
  try {
    return held((await client.list(LEASES, selection)).items);
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
  }
  const lists = await Promise.all(
    namespaces.map((namespace) => client.list(LEASES, { ...selection, namespace })),
  );
  return held(lists.flatMap(({ items }) => items));
}
