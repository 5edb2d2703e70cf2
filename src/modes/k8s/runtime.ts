import type { AppConfig } from '../../config/index.js';
import { messageOf, type DeployableKind, type DeploymentOwner } from '@symphony/model';
import type { LaneKey, SummaryStore } from '../../modules/queue/index.js';
import { ApiClient, openAccess, SharedReads, type ClusterAccess } from './client/index.js';
import { OrderedLanes } from './controller/ordered-lanes.js';
import { dependentsFrom } from './controller/dependents.js';
import { lineOf, Operator } from './controller/operator.js';
import { entriesIn, LEDGER_INDEXES, LEDGER_TYPE, type LedgerReflector } from './ledger/ledger-object.js';
import { KubernetesLedger } from './ledger/kubernetes-ledger.js';
import { LeftoverLedgers } from './ledger/leftover-ledgers.js';
import { refusedLedger } from './ledger/refused-ledger.js';
import { Reattachment } from './ledger/reattach.js';
import { MemoryWaker, termOf } from './lanes/index.js';
import {
  Elector,
  highestKnown,
  processIdentity,
  RefusedWrites,
  refuseBesideSymphony,
  type Term,
} from './leadership/index.js';
import { Inbox } from './inbox.js';
import { EventRecorder, ObjectEvents } from './events/index.js';
import { KubernetesMetrics } from './kubernetes-metrics.js';
import { LEASE, SIGNING_KEY } from './names.js';
import { Finalizers } from './objects/finalizers.js';
import { OrderAnnotation, typeOf, type CustomObject } from './objects/custom-object.js';
import { KubernetesObjectStore, requestOf } from './objects/kubernetes-object-store.js';
import { ObjectReflectors } from './objects/object-reflectors.js';
import { unlessMissing } from './objects/readable.js';
import { Rest } from './proxy/index.js';
import { Reflector, relistingEvery } from './reflector/index.js';
import { HandledOrders } from './runs/handled-orders.js';
import { brief, HISTORY_INDEXES, RUN_HISTORY_TYPE, type RunHistoryObject } from './runs/history-object.js';
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

export interface RuntimeLog {
  debug(fields: object): void;
  info(fields: object): void;
  warn(fields: object): void;
}

/** Everything that speaks to the API server, wired; `start` begins to follow the objects. */
export class KubernetesRuntime {
  readonly waker: MemoryWaker;
  readonly objects: ObjectReflectors;
  readonly ledgers: LedgerReflector;
  readonly histories: Reflector<RunHistoryObject, 'owner' | 'summary'>;
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
  readonly rest: Rest;
  readonly #operator: Operator;
  readonly #leftovers: LeftoverLedgers;
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
    this.objects = new ObjectReflectors(shared);
    this.ledgers = new Reflector({
      ...shared,
      type: LEDGER_TYPE,
      indexes: LEDGER_INDEXES,
    });
    this.histories = new Reflector({
      ...shared,
      type: RUN_HISTORY_TYPE,
      indexes: HISTORY_INDEXES,
      keep: brief,
    });
    this.#log = new RunLog({
      client,
      cache: this.histories,
      warn: (msg, error) => log.warn({ msg, error: messageOf(error) }),
    });
    this.history = new KubernetesRunHistory(this.#log);
    this.signingKeys = new SecretSigningKeyStore(client, home, SIGNING_KEY);
    const identity = processIdentity();
    this.elector = new Elector({
      client,
      namespace: home,
      name: LEASE,
      identity,
      annotations: () => this.rest.annotations(),
      timing: timingOf(kubernetes.leaseSeconds),
      knownEpoch: () => this.#knownEpoch(),
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
        targets: () => this.objects.targets.state,
        solutions: () => this.objects.solutions.state,
        instances: () => this.objects.instances.state,
        solutioncontainers: () => this.objects.containers.state,
        ledgers: () => this.ledgers.state,
        runhistories: () => this.histories.state,
        posteddeployments: () => this.inbox.posted.state,
        componentreports: () => this.inbox.reported.state,
      },
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
      isStored: (kind, uid) => this.objects.of<DeployableKind>(kind).byUid(uid) !== undefined,
      countOrphaned: (kind, how) => metrics.orphaned(kind, how),
    });
    this.health = new MemoryTargetHealth((uid) => this.#recovered(uid));
    const refused = new RefusedWrites({ leadership: this.elector, log });
    const finalizers = new Finalizers({
      client,
      seen: (kind, ref) => this.objects.get(kind, ref),
      written: (kind, object) => this.objects.of<DeployableKind>(kind).seen(object),
    });
    const keepOwner = async ({ kind, namespace, name, uid }: DeploymentOwner): Promise<void> => {
      if (kind !== 'Inline') await finalizers.add(kind, { namespace, name }, uid);
    };
    this.ledger = new KubernetesLedger({
      client,
      cache: this.ledgers,
      assertFence: (fence) => this.lanes.assertFence(fence),
      keepOwner,
      targets: {
        isOurs: (uid) => UUID.test(uid),
        specOf: (uid) => this.objects.targets.byUid(uid)?.spec,
        keep: ({ namespace, name, uid }) => finalizers.add('Target', { namespace, name }, uid),
        isStored: (uid) => this.objects.targets.byUid(uid) !== undefined,
        wasLeft: (uid) => this.#wasLeft(uid),
      },
      refused: (object, epoch) => void refused.look(refusedLedger(client, object, epoch)),
      released: (owner, left) => events.orphaned(owner, left.map(lineOf)),
    });
    this.reattachment = new Reattachment({
      client,
      cache: this.ledgers,
      assertFence: (fence) => this.lanes.assertFence(fence),
      keepOwner,
      isLost: (uid) => UUID.test(uid) && this.objects.targets.byUid(uid) === undefined,
    });
    this.inbox = new Inbox({
      ...shared,
      instances: this.objects.instances,
      ledgers: this.ledgers,
      ledger: this.ledger,
      lanes: () => this.lanes,
      finished: () => this.waker.finished(),
    });
    this.summaries = this.inbox.summaries(
      new KubernetesSummaries(this.#log, (kind, ref) => this.objects.get(kind, ref)),
    );
    const orders = new HandledOrders();
    const edits = new StatusEdits({ objects: this.objects, lanes: () => this.lanes, log });
    const status = new StatusWriter({
      client,
      edits,
      seen: (kind, object) => this.objects.of<DeployableKind>(kind).seen(object),
      refused: (kind, object, epoch) => void refused.look(refusedStatus(client, kind, object, epoch)),
    });
    const objectOf: OutcomeParts['objectOf'] = ({ kind, namespace, name, payload }) =>
      payload ? undefined : this.objects.get<DeployableKind>(kind, { namespace, name });
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
      exists: ({ kind, namespace, name }) => this.objects.get(kind, { namespace, name }) !== undefined,
      write: this.inbox.writer(outcomeWriter(outcomes)),
      posted: this.inbox.orders,
      dependentsOf: dependentsFrom({
        instances: this.objects.instances,
        ownersOn: (uid) => this.ledgers.byIndex('target', uid).flatMap(entriesIn),
      }),
      waker: this.waker,
      note: async (order) => {
        await annotate(client, order, { [OrderAnnotation.Reconcile]: requestOf(order.actor) });
      },
      mark: async (key, suspended) => {
        const annotations = { [OrderAnnotation.Suspend]: suspended ? 'true' : null };
        return (await unlessMissing(annotate(client, key, annotations))) !== undefined;
      },
    });
    this.desiredState = new KubernetesDesiredState({
      client: new SharedReads(client),
      seen: (kind, ref) => this.objects.get(kind, ref),
      targets: this.objects.targets,
      ledger: this.ledger,
      attach: (owner, fence) => this.reattachment.attach(owner, fence),
      unhealthy: (uids) => this.health.unhealthy(uids),
      onRead: (object) => orders.read(object),
    });
    this.store = new KubernetesObjectStore({
      client,
      cache: this.objects,
      linesOf: async (uid) => (await this.ledger.entriesOf(uid)).map(lineOf),
      takeReport: (target, report) => this.inbox.reports.accept(target, report),
    });
    this.#leftovers = new LeftoverLedgers({
      ledgers: this.ledgers,
      term: () => (this.lanes.leading ? this.elector.epoch : undefined),
      isStored: async ({ kind, namespace, name, uid }) =>
        (await unlessMissing(client.get<CustomObject>(typeOf<DeployableKind>(kind), { namespace, name })))
          ?.metadata.uid === uid,
      look: (owner) => this.#look(owner),
      release: ({ uid }) => this.ledger.releaseOwner(uid),
      warn: (msg, error) => log.warn({ msg, error: messageOf(error) }),
    });
    this.#suspensions = new SuspensionMarks({
      client,
      edits,
      objects: this.objects,
      leads: () => this.lanes.leading,
      warn: (msg, error) => log.warn({ msg, error: messageOf(error) }),
    });
    this.#operator = new Operator({
      begun: () => {
        this.#leftovers.begin();
        this.#suspensions.begin();
      },
      client,
      objects: this.objects,
      ledgers: this.ledgers,
      reattachment: this.reattachment,
      lanes: this.lanes,
      ledger: this.ledger,
      finalizers,
      health: this.health,
      leadership: this.elector,
      namespaces,
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
    this.objects.start();
    this.ledgers.start();
    this.inbox.start();
    this.histories.start();
    this.#leftovers.start();
    this.#suspensions.start();
    this.#operator.start();
    // The next leader may be asked for what this one has seen.
    this.elector.onChange((term) => void (term ? undefined : this.#log.flush()));
  }

  /** The Lease is held until the runs have ended: call it when nothing runs any more. */
  async close(): Promise<void> {
    this.#operator.stop();
    this.#events.stop();
    await this.elector.stop();
    // Nobody waits for it: another one leads already.
    await this.#log.flush();
    this.#log.close();
    await Promise.all([this.objects.stop(), this.ledgers.stop(), this.histories.stop(), this.inbox.stop()]);
    await this.rest.close();
    await Promise.all([this.client.close(), this.reviews.close()]);
    this.log.debug({ msg: 'Nothing follows the cluster any more' });
  }

  /** Statuses as well: what only waits or fails has no ledger. */
  #knownEpoch(): number {
    const { targets, instances } = this.objects;
    const statuses = [...targets.list(), ...instances.list()].map(({ status }) => status?.epoch ?? 0);
    const ledgers = this.ledgers.list().map(({ spec }) => spec.epoch);
    return highestKnown([...statuses, ...ledgers].map(termOf));
  }

  /** As a retry: also where the desired state is that of the last success, the targets are looked at. */
  #look({ kind, namespace, name, uid }: DeploymentOwner & { kind: DeployableKind }): void {
    const object = this.objects.of<DeployableKind>(kind).byUid(uid);
    if (!object || !this.lanes.leading) return;
    const { generation = 1, deletionTimestamp } = object.metadata;
    const action = deletionTimestamp === undefined ? 'update' : 'delete';
    this.lanes.take([{ kind, namespace, name, generation, action, cause: 'retry' }]).catch(() => undefined);
  }

  /** Whoever waits for a target that answers again runs now. */
  #recovered(uid: string): void {
    const target = this.objects.targets.byUid(uid);
    if (!target || !this.lanes.leading) return;
    const { namespace = '', name } = target.metadata;
    const properties = target.spec?.properties ?? {};
    this.lanes.insertFanOuts([{ kind: 'Target', namespace, name, uid, propertiesAfter: properties }]);
  }

  #wasLeft(uid: string): void {
    const target = this.objects.targets.byUid(uid);
    if (target?.metadata.deletionTimestamp === undefined) return;
    const { namespace = '', name, generation = 1 } = target.metadata;
    this.lanes
      .take([{ kind: 'Target', namespace, name, generation, action: 'delete', cause: 'dependent' }])
      .catch(() => undefined);
  }
}

function annotate(
  client: ApiClient,
  { kind, namespace, name }: LaneKey,
  annotations: Record<string, string | null>,
): Promise<CustomObject> {
  const type = typeOf<DeployableKind>(kind);
  return client.patch(type, { namespace, name }, { kind: 'merge', body: { metadata: { annotations } } });
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
