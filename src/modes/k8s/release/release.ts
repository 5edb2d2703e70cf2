import { UnavailableError } from '@symphony/model';
import pLimit from 'p-limit';
import { listAll, pause, type ApiClient, type KubeObject, type ResourceType } from '../client/index.js';
import { epochOf, holderOf, type Lease } from '../leadership/lease.js';
import { LeaseWriter } from '../leadership/lease-writer.js';
import { LEDGER_FINALIZER, LEDGER_TYPE } from '../ledger/ledger-object.js';
import { typeOf } from '../objects/custom-object.js';
import { FINALIZERS } from '../objects/finalizers.js';
import { stripFinalizer } from '../objects/strip-finalizer.js';
import { POSTED_FINALIZER, POSTED_TYPE } from '../posted/index.js';
import { letRightsGo } from '../rights/index.js';

/** How long the Lease stays taken afterwards: replicas that are still there must not put the finalizers back. */
const KEPT_SECONDS = 30;
const DEFAULT_LEASE_SECONDS = 15;
const REQUEST_MS = 5_000;
const RETRY_MS = 250;
const MAX_TRIES = 20;
const WRITES_AT_ONCE = 8;

export interface ReleaseOptions {
  client: ApiClient;
  /** Where the Lease is. */
  home: string;
  leaseName: string;
  identity: string;
  /** Undefined: all. */
  namespaces: readonly string[] | undefined;
  /** Names of Roles and RoleBindings in these namespaces that wait for us; see `letRightsGo`. */
  heldRoles: readonly string[];
  signal: AbortSignal;
}

/** From how many objects of each kind our finalizer was taken. */
export interface Released {
  targets: number;
  instances: number;
  ledgers: number;
  /** Records of posted deployments. */
  posted: number;
  /** Roles and RoleBindings. */
  roles: number;
}

/**
 * Ends the engine's hold on the cluster, so that its objects can be deleted when it is gone: takes the Lease from whoever has
 * it, waits until that one has stopped for certain, and takes our finalizers off. Objects, ledgers and what is deployed stay.
 * @throws UnavailableError when the Lease cannot be taken; the signal's reason; what the API server refuses
 */
export async function releaseCluster(options: ReleaseOptions): Promise<Released> {
  const { client, home, leaseName, identity, namespaces, heldRoles, signal } = options;
  const writer = new LeaseWriter({
    client,
    namespace: home,
    name: leaseName,
    identity: `release_${identity}`,
    leaseMs: KEPT_SECONDS * 1_000,
    requestMs: REQUEST_MS,
    annotations: () => ({}),
  });
  let { held, formerSeconds } = await takeLease(writer, signal);
  const keep = async (): Promise<void> => {
    held = await writer.renew(held);
  };
  // By then the former leader has seen that it lost the Lease, or given up renewing it.
  for (let left = formerSeconds; left > 0; left -= DEFAULT_LEASE_SECONDS) {
    await pause(Math.min(left, DEFAULT_LEASE_SECONDS) * 1_000, signal);
    await keep();
  }
  const targets = await strip(options, typeOf('Target'), FINALIZERS.Target);
  await keep();
  const instances = await strip(options, typeOf('Instance'), FINALIZERS.Instance);
  await keep();
  const ledgers = await strip(options, LEDGER_TYPE, LEDGER_FINALIZER);
  await keep();
  const posted = await strip(options, POSTED_TYPE, POSTED_FINALIZER);
  await keep();
  // Last of all: without them nothing else can be done there.
  let roles = 0;
  for (const namespace of namespaces ?? [])
    roles += await letRightsGo({ client, namespace, names: heldRoles, signal });
  await keep();
  return { targets, instances, ledgers, posted, roles };
}

/** @returns the Lease as ours, and for how long its former holder may still think that it leads */
async function takeLease(
  writer: LeaseWriter,
  signal: AbortSignal,
): Promise<{ held: Lease; formerSeconds: number }> {
  for (let attempt = 1; attempt <= MAX_TRIES; attempt++) {
    signal.throwIfAborted();
    const lease = await writer.read();
    const held = await writer.acquire(lease, epochOf(lease) + 1);
    if (held) {
      const seconds = lease?.spec?.leaseDurationSeconds ?? DEFAULT_LEASE_SECONDS;
      return { held, formerSeconds: holderOf(lease) === undefined ? 0 : seconds };
    }
    // Its holder renewed it in between.
    await pause(RETRY_MS, signal);
  }
  throw new UnavailableError(
    'The Lease could not be taken: it changes all the time. Scale the engine to no replicas, and try again.',
  );
}

async function strip<T extends KubeObject>(
  { client, namespaces, signal }: ReleaseOptions,
  type: ResourceType<T>,
  finalizer: string,
): Promise<number> {
  const lists = await Promise.all(
    (namespaces ?? [undefined]).map((namespace) => listAll(client, type, { namespace, signal })),
  );
  const ours = lists
    .flatMap(({ items }) => items)
    .filter(({ metadata }) => metadata.finalizers?.includes(finalizer));
  const limit = pLimit(WRITES_AT_ONCE);
  await Promise.all(
    ours.map((object) => limit(() => stripFinalizer(client, type, object, finalizer, signal))),
  );
  return ours.length;
}
