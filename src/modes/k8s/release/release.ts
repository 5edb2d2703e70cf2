import { UnavailableError } from '@symphony/model';
import pLimit from 'p-limit';
import { listAll, pause, type ApiClient, type KubeObject, type ResourceType } from '../client/index.js';
import { epochOf, holderOf, type Lease } from '../leadership/lease.js';
import { LeaseWriter } from '../leadership/lease-writer.js';
import { LEDGER_FINALIZER, LEDGER_TYPE } from '../ledger/ledger-object.js';
import { typeOf } from '../objects/custom-object.js';
import { FINALIZERS, FINALIZERS_OF_OTHERS } from '../objects/finalizers.js';
import { stripFinalizers } from '../objects/strip-finalizers.js';
import { POSTED_FINALIZER, POSTED_TYPE } from '../posted/index.js';
import { letRightsGo } from '../rights/index.js';

/** How long the Lease stays taken afterwards: replicas that are still there must not put the finalizers back. */
const KEPT_SECONDS = 30;
const DEFAULT_LEASE_SECONDS = 15;
const RENEW_MS = 10_000;
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
  const { held, formerSeconds } = await takeLease(writer, signal);
  return whileHeld({ writer, held, signal }, async (holding) => {
    // By then the former leader has seen that it lost the Lease, or given up renewing it.
    await pause(formerSeconds * 1_000, holding);
    holding.throwIfAborted();
    const within = { ...options, signal: holding };
    const { Target, Instance } = FINALIZERS;
    const targets = await strip(within, typeOf('Target'), [Target, ...FINALIZERS_OF_OTHERS.Target]);
    const instances = await strip(within, typeOf('Instance'), [Instance, ...FINALIZERS_OF_OTHERS.Instance]);
    const ledgers = await strip(within, LEDGER_TYPE, [LEDGER_FINALIZER]);
    const posted = await strip(within, POSTED_TYPE, [POSTED_FINALIZER]);
    // Last of all: without them nothing else can be done there.
    let roles = 0;
    for (const namespace of namespaces ?? [])
      roles += await letRightsGo({ client, namespace, names: heldRoles, signal: holding });
    return { targets, instances, ledgers, posted, roles };
  });
}

interface Holding {
  writer: LeaseWriter;
  held: Lease;
  signal: AbortSignal;
}

/** Works while the Lease is renewed, however long that takes. When it is lost, the work is told to end, and why. */
async function whileHeld<T>(
  { writer, held, signal }: Holding,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  const passOn = (): void => over.abort(signal.reason);
  signal.addEventListener('abort', passOn, { once: true });
  if (signal.aborted) passOn();
  const renewing = (async () => {
    let lease = held;
    while (!over.signal.aborted) {
      await pause(RENEW_MS, over.signal);
      lease = await writer.renew(lease);
    }
  })().catch((error: unknown) => over.abort(error));
  try {
    return await work(over.signal);
  } finally {
    signal.removeEventListener('abort', passOn);
    // Ends the pause; the renewal after it keeps the Lease taken for a while.
    over.abort(new UnavailableError('The release has ended.', 'Ending'));
    await renewing;
  }
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
  [ours, ...ofOthers]: readonly [string, ...string[]],
): Promise<number> {
  const lists = await Promise.all(
    (namespaces ?? [undefined]).map((namespace) => listAll(client, type, { namespace, signal })),
  );
  const held = lists
    .flatMap(({ items }) => items)
    .filter(({ metadata }) => metadata.finalizers?.includes(ours));
  const limit = pLimit(WRITES_AT_ONCE);
  await Promise.all(
    held.map((object) => limit(() => stripFinalizers(client, type, object, [ours, ...ofOthers], signal))),
  );
  return held.length;
}
