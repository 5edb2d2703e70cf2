import type { AppConfig } from '../../config/index.js';
import { messageOf, type DeployableKind, type DeploymentOwner } from '@symphony/model';
import type { SummaryStore } from '../../modules/queue/index.js';
import { ApiClient, openAccess, SharedReads, type ClusterAccess } from './client/index.js';
import { Caches } from './caches.js';
import { OrderedLanes } from './controller/ordered-lanes.js';
import { OrderNotes } from './controller/order-notes.js';
import { OwnOrders } from './controller/own-orders.js';
import { dependentsFrom } from './controller/dependents.js';
import { Operator } from './controller/operator.js';
import { Reach } from './controller/reach.js';
import { entriesIn, LEDGER_FINALIZER, LEDGER_TYPE, lineOf } from './ledger/ledger-object.js';
import { KubernetesLedger } from './ledger/kubernetes-ledger.js';
import { LeftoverLedgers } from './ledger/leftover-ledgers.js';
import { refusedLedger } from './ledger/refused-ledger.js';
import { Reattachment } from './ledger/reattach.js';
import { MemoryWaker } from './lanes/index.js';
import {
  Elector,
  processIdentity,
  RefusedWrites,
  refuseBesideSymphony,
  type Term,
} from './leadership/index.js';
import { Inbox } from './inbox.js';
import { EventRecorder, ObjectEvents } from './events/index.js';
import { KubernetesMetrics } from './kubernetes-metrics.js';
import { LEASE, SIGNING_KEY } from './names.js';
import { Finalizers, FINALIZERS } from './objects/finalizers.js';
import { typeOf, type CustomObject } from './objects/custom-object.js';
import { KubernetesObjectStore } from './objects/kubernetes-object-store.js';
import { unlessMissing } from './objects/readable.js';
import { POSTED_FINALIZER, POSTED_TYPE } from './posted/index.js';
import { Rest } from './proxy/index.js';
import { relistingEvery } from './reflector/index.js';
import { HeldRights } from './rights/index.js';
import { HandledOrders } from './runs/handled-orders.js';
import { KubernetesDesiredState } from './runs/kubernetes-desired-state.js';
import { KubernetesRunHistory, KubernetesSummaries } from './runs/kubernetes-history.js';
import { MemoryTargetHealth } from './runs/memory-target-health.js';
import { outcomeWriter, type OutcomeParts } from './runs/outcomes.js';
import { KubernetesProgress } from './runs/progress.js';
import { refusedStatus } from './runs/refused-status.js';
import { RunLog } from './runs/run-log.js';
import { StatusEdits } from './runs/status-edits.js';
import { StatusWriter } from './runs/status-writer.js';
import { SuspensionMarks } from './runs/suspension-marks.js';
import { SecretSigningKeyStore } from './secrets.js';
import { KubernetesSource } from './values/kubernetes-source.js';

export interface RuntimeLog {
  debug(fields: object): void;
  info(fields: object): void;
  warn(fields: object): void;
}

/** Everything that speaks to the API server, wired; `start` begins to follow the objects. */
export class KubernetesRuntime {
  readonly waker: MemoryWaker;
  readonly caches: Caches;
  readonly elector: Elector;
  readonly health: MemoryTargetHealth;
  readonly ledger: KubernetesLedger;
  readonly inbox: Inbox;
  readonly reattachment: Reattachment;
  readonly lanes: OrderedLanes;
  readonly store: KubernetesObjectStore;
  readonly desiredState: KubernetesDesiredState;
  readonly progress: KubernetesProgress;
  readonly history: KubernetesRunHistory;
  readonly summaries: SummaryStore;
  readonly signingKeys: SecretSigningKeyStore;
  readonly values: KubernetesSource;
  readonly rest: Rest;
  readonly #operator: Operator;
  readonly #leftovers: LeftoverLedgers;
  readonly #rights: HeldRights | undefined;
  #endLeftovers = (): void => undefined;
  readonly #suspensions: SuspensionMarks;
  readonly #log: RunLog;
  readonly #events: EventRecorder;
  /** Resolves when no run of an ended term is under way; set by whoever knows the runs. */
  runsSettled: (term: Term) => Promise<void> = () => Promise.resolve();

  private constructor(
    readonly client: ApiClient,
    /** Asks about callers; they take no sockets from the engine's work. */
    private readonly reviews: ApiClient,
    config: AppConfig,
    readonly metrics: KubernetesMetrics,
    private readonly log: RuntimeLog,
  ) {
    const { kubernetes, reconcile } = config;
    const namespaces = kubernetes.namespaces.length > 0 ? kubernetes.namespaces : undefined;
    const home = kubernetes.leaseNamespace ?? client.namespace ?? 'default';
    const shared = { client, namespaces, timing: relistingEvery(kubernetes.relist), log };
    this.waker = new MemoryWaker((message) => log.warn({ msg: message }));
    this.caches = new Caches(shared);
    const { objects, ledgers, histories } = this.caches;
    const { targets, solutions, instances, containers } = objects;
    const pictures = () => [targets, solutions, instances, containers, ledgers, this.inbox.posted];
    const reach = new Reach({ client, pictures, ledgers, namespaces });
    const inReach = (kind: DeployableKind) => reach.within(objects.of<DeployableKind>(kind));
    const own = new OwnOrders({ objects, lanes: () => this.lanes });
    const notes = new OrderNotes({ client, objects, namespaces });
    this.#log = new RunLog({
      client,
      cache: histories,
      objects,
      warn: (msg, error) => log.warn({ msg, error: messageOf(error) }),
    });
    this.history = new KubernetesRunHistory(this.#log);
    this.signingKeys = new SecretSigningKeyStore(client, home, SIGNING_KEY);
    const reads = new SharedReads(client);
    this.values = new KubernetesSource(reads, [{ namespace: home, name: SIGNING_KEY }]);
    const identity = processIdentity();
    this.elector = new Elector({
      client,
      namespace: home,
      name: LEASE,
      identity,
      annotations: () => this.rest.annotations(),
      timing: timingOf(kubernetes.leaseSeconds),
      knownEpoch: () => Math.max(this.caches.knownTerm, this.inbox.knownTerm),
      mayLead: (signal) => refuseBesideSymphony(client, [home, ...(namespaces ?? [])], signal),
      settled: (term) => this.runsSettled(term),
      log,
    });
    this.rest = new Rest({
      config,
      reviews,
      leadership: this.elector,
      identity,
      pictures: {
        targets: () => objects.targets.state,
        solutions: () => objects.solutions.state,
        instances: () => objects.instances.state,
        solutioncontainers: () => objects.containers.state,
        ledgers: () => ledgers.state,
        runhistories: () => histories.state,
        posteddeployments: () => this.inbox.posted.state,
        componentreports: () => this.inbox.reported.state,
      },
      isGoing: (target) => objects.get('Target', target)?.metadata.deletionTimestamp !== undefined,
      hasLanes: () => this.lanes.leading,
      log,
    });
    this.#events = new EventRecorder({
      client,
      instance: identity,
      count: (result) => metrics.event(result),
      log,
    });
    this.elector.onChange((term) => (term ? undefined : this.#events.clear()));
    const events = new ObjectEvents({
      recorder: this.#events,
      isStored: (kind, uid) => objects.of<DeployableKind>(kind).byUid(uid) !== undefined,
      countOrphaned: (kind, how) => metrics.orphaned(kind, how),
    });
    this.health = new MemoryTargetHealth((uid) => own.recovered(uid));
    const refused = new RefusedWrites({ leadership: this.elector, log });
    const finalizers = new Finalizers({
      client,
      seen: (kind, ref) => objects.get(kind, ref),
      written: (kind, object) => objects.of<DeployableKind>(kind).seen(object),
    });
    const keepOwner = async ({ kind, namespace, name, uid }: DeploymentOwner): Promise<void> => {
      if (kind !== 'Inline') await finalizers.add(kind, { namespace, name }, uid);
    };
    this.ledger = new KubernetesLedger({
      client,
      cache: ledgers,
      assertFence: (fence) => this.lanes.assertFence(fence),
      keepOwner,
      targets: {
        isOurs: (uid) => UUID.test(uid),
        specOf: (uid) => objects.targets.byUid(uid)?.spec,
        keep: ({ namespace, name, uid }) => finalizers.add('Target', { namespace, name }, uid),
        wasLeft: (uid) => own.wasLeft(uid),
      },
      refused: (object, epoch) => void refused.look(refusedLedger(client, object, epoch)),
      released: (owner, left) => events.orphaned(owner, left.map(lineOf)),
    });
    this.reattachment = new Reattachment({
      client,
      cache: ledgers,
      assertFence: (fence) => this.lanes.assertFence(fence),
      keepOwner,
      isLost: (uid) => UUID.test(uid) && objects.targets.byUid(uid) === undefined,
    });
    this.inbox = new Inbox({
      ...shared,
      instances: objects.instances,
      ledgers,
      ledger: this.ledger,
      lanes: () => this.lanes,
      inReach: (namespace) => reach.has(namespace),
      finished: () => this.waker.finished(),
      refused,
    });
    this.summaries = this.inbox.summaries(
      new KubernetesSummaries(this.#log, (kind, ref) => objects.get(kind, ref)),
    );
    const orders = new HandledOrders();
    const edits = new StatusEdits({ objects: { of: inReach }, lanes: () => this.lanes, log });
    const status = new StatusWriter({
      client,
      edits,
      seen: (kind, object) => objects.of<DeployableKind>(kind).seen(object),
      refused: (kind, object, epoch) => void refused.look(refusedStatus(client, kind, object, epoch)),
    });
    const objectOf: OutcomeParts['objectOf'] = ({ kind, namespace, name, payload }) =>
      payload ? undefined : objects.get<DeployableKind>(kind, { namespace, name });
    this.progress = new KubernetesProgress({
      objectOf,
      status,
      log: this.#log,
      assertFence: ({ fence }) => this.lanes.assertFence(fence),
    });
    const outcomes: OutcomeParts = {
      objectOf,
      status,
      finalizers,
      orders,
      log: this.#log,
      ledger: this.ledger,
      endProgress: (uid) => this.progress.end(uid),
      tell: (...of) => events.afterRun(...of),
    };
    this.lanes = new OrderedLanes({
      clock: { now: () => performance.now(), wallNow: () => Date.now() },
      exists: ({ kind, namespace, name }) =>
        reach.has(namespace) && objects.get(kind, { namespace, name }) !== undefined,
      write: this.inbox.writer(outcomeWriter(outcomes)),
      posted: this.inbox.orders,
      inReach: (namespace) => reach.has(namespace),
      dependentsOf: dependentsFrom({
        instances: objects.instances,
        ownersOn: (uid) => ledgers.byIndex('target', uid).flatMap(entriesIn),
      }),
      waker: this.waker,
      note: (order) => notes.note(order),
      mark: (key, suspended) => notes.mark(key, suspended),
    });
    this.desiredState = new KubernetesDesiredState({
      client: reads,
      seen: (kind, ref) => objects.get(kind, ref),
      targets: objects.targets,
      ledger: this.ledger,
      attach: (owner, fence) => this.reattachment.attach(owner, fence),
      unhealthy: (uids) => this.health.unhealthy(uids),
      onRead: (object) => orders.read(object),
    });
    this.store = new KubernetesObjectStore({
      client,
      cache: objects,
      linesOf: (uid) => this.ledger.entriesAbout(uid).map(lineOf),
      takeReport: (target, report) => this.inbox.reports.accept(target, report),
    });
    this.#leftovers = new LeftoverLedgers({
      ledgers: reach.within(ledgers),
      term: () => (this.lanes.leading ? this.elector.epoch : undefined),
      isStored: async ({ kind, namespace, name, uid }) =>
        (await unlessMissing(client.get<CustomObject>(typeOf<DeployableKind>(kind), { namespace, name })))
          ?.metadata.uid === uid,
      look: (owner) => own.look(owner),
      release: ({ uid }) => this.ledger.releaseOwner(uid),
      warn: (msg, error) => log.warn({ msg, error: messageOf(error) }),
    });
    if (namespaces && kubernetes.heldRoles.length > 0) {
      this.#rights = new HeldRights({
        ...shared,
        namespaces,
        names: kubernetes.heldRoles,
        holdings: [
          { type: typeOf('Target'), finalizer: FINALIZERS.Target, seen: objects.targets },
          { type: typeOf('Instance'), finalizer: FINALIZERS.Instance, seen: objects.instances },
          { type: LEDGER_TYPE, finalizer: LEDGER_FINALIZER, seen: ledgers },
          { type: POSTED_TYPE, finalizer: POSTED_FINALIZER, seen: this.inbox.posted },
        ],
        leads: () => this.lanes.leading,
      });
    }
    this.#suspensions = new SuspensionMarks({
      client,
      edits,
      objects: {
        all: (kind) => inReach(kind).list(),
        of: (kind) => ({ ...inReach(kind), seen: (object) => objects.of<DeployableKind>(kind).seen(object) }),
      },
      leads: () => this.lanes.leading,
      warn: (msg, error) => log.warn({ msg, error: messageOf(error) }),
    });
    this.#operator = new Operator({
      begun: () => {
        this.#leftovers.begin();
        this.#suspensions.begin();
        this.#rights?.begin();
      },
      client,
      objects,
      ledgers,
      reattachment: this.reattachment,
      lanes: this.lanes,
      ledger: this.ledger,
      finalizers,
      health: this.health,
      leadership: this.elector,
      reach,
      intervals: { interval: reconcile.interval, minInterval: reconcile.minInterval },
      log: { log: (message) => log.info(fieldsOf(message)), warn: (message) => log.warn(fieldsOf(message)) },
    });
  }

  /**
   * Finds the way to the API server and makes sure that it answers.
   * @throws SymphonyError with a sentence for the terminal
   */
  static async open(config: AppConfig, log: RuntimeLog): Promise<KubernetesRuntime> {
    const { kubeconfig, context } = config.kubernetes;
    const access: ClusterAccess = await openAccess({ kubeconfig, context });
    const metrics = new KubernetesMetrics();
    const onRequest = metrics.request.bind(metrics);
    const client = new ApiClient({ access, onRequest });
    try {
      await client.text('/version');
      const reviews = new ApiClient({ access, sockets: REVIEW_SOCKETS, onRequest });
      return new KubernetesRuntime(client, reviews, config, metrics, log);
    } catch (error) {
      await client.close();
      throw error;
    }
  }

  /** The elector starts when the server listens: a leader says where it is reached. */
  start(): void {
    this.caches.start();
    this.inbox.start();
    this.#endLeftovers = this.#leftovers.start();
    this.#suspensions.start();
    this.#rights?.start();
    this.#operator.start();
    // The next leader may be asked for what this one has seen.
    this.elector.onChange((term) => void (term ? undefined : this.#log.flush()));
  }

  /** The Lease is held until the runs have ended: call it when nothing runs any more. */
  async close(): Promise<void> {
    this.#operator.stop();
    this.#endLeftovers();
    this.#events.stop();
    await this.elector.stop();
    // Nobody waits for it: another one leads already.
    await this.#log.flush();
    this.#log.close();
    await Promise.all([this.caches.stop(), this.inbox.stop(), this.#rights?.stop()]);
    await this.rest.close();
    await Promise.all([this.client.close(), this.reviews.close()]);
    this.log.debug({ msg: 'Nothing follows the cluster any more' });
  }
}

const REVIEW_SOCKETS = 8;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** In the proportions of Kubernetes' own controllers: 15, 10 and 2 seconds. */
function timingOf(leaseSeconds: number): { leaseMs: number; renewDeadlineMs: number; retryMs: number } {
  const leaseMs = leaseSeconds * 1_000;
  return { leaseMs, renewDeadlineMs: (leaseMs * 2) / 3, retryMs: (leaseMs * 2) / 15 };
}

function fieldsOf(message: object | string): object {
  return typeof message === 'string' ? { msg: message } : message;
}
