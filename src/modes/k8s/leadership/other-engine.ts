import { pause, type ApiClient, type KubeObject, type ResourceType } from '../client/index.js';
import { OtherEngineError } from './errors.js';
import { holderOf, LEASES, type Lease } from './lease.js';

/** The id with which Eclipse Symphony's controller elects its leader; in the namespace of its pod. */
const SYMPHONY_LEASE = '33405cb8.symphony';
/** Of Symphony's controller-runtime, for a Lease that does not say. */
const DEFAULT_LEASE_SECONDS = 15;
const LOOK_MS = 1_000;

interface AccessReview extends KubeObject {
  spec: { resourceAttributes: Record<string, string | undefined> };
  status?: { allowed?: boolean };
}

/** Everybody may ask what he may. */
const SELF_ACCESS_REVIEWS: ResourceType<AccessReview> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'selfsubjectaccessreviews',
  kind: 'SelfSubjectAccessReview',
  namespaced: false,
};

/**
 * Refuses to run beside Eclipse Symphony's own controller. It is looked for in all namespaces when the engine may do that,
 * else in those of the given ones where it may; what it may is asked first, so that nothing is refused by the API server.
 * A Lease that nobody renews for as long as it lasts, by our own clock, was left behind and is no hindrance; finding that
 * out takes that long.
 * @throws OtherEngineError while it is held; the signal's reason
 */
export async function refuseBesideSymphony(
  client: ApiClient,
  namespaces: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const places = await readablePlaces(client, namespaces, signal);
  const first = await heldLeases(client, places, signal);
  if (first.length === 0) return;
  const began = performance.now();
  for (;;) {
    await pause(LOOK_MS, signal);
    signal?.throwIfAborted();
    const now = await heldLeases(client, places, signal);
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

/** Namespaces; undefined stands for all. */
type Place = string | undefined;

async function readablePlaces(
  client: ApiClient,
  namespaces: readonly string[],
  signal: AbortSignal | undefined,
): Promise<Place[]> {
  if (await mayList(client, undefined, signal)) return [undefined];
  const allowed = await Promise.all(namespaces.map((namespace) => mayList(client, namespace, signal)));
  return namespaces.filter((_namespace, index) => allowed[index]);
}

async function mayList(
  client: ApiClient,
  namespace: Place,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { group, plural: resource } = LEASES;
  const resourceAttributes = { verb: 'list', group, resource, name: SYMPHONY_LEASE, namespace };
  const review: AccessReview = { metadata: { name: '' }, spec: { resourceAttributes } };
  const { status } = await client.create(SELF_ACCESS_REVIEWS, review, { signal, repeatable: true });
  return status?.allowed === true;
}

async function heldLeases(
  client: ApiClient,
  places: readonly Place[],
  signal: AbortSignal | undefined,
): Promise<Lease[]> {
  const fieldSelector = `metadata.name=${SYMPHONY_LEASE}`;
  const lists = await Promise.all(
    places.map((namespace) => client.list(LEASES, { namespace, fieldSelector, signal })),
  );
  return lists.flatMap(({ items }) => items).filter((lease) => holderOf(lease) !== undefined);
}
