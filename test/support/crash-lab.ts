import { randomUUID } from 'node:crypto';
import type { ComponentSpec, DeployableKind, LedgerEntry, ObjectKind, SpecByKind } from '@symphony/model';
import { createDataSource } from '../../src/modes/standalone/database/data-source.js';
import { Database } from '../../src/modes/standalone/database/database.js';
import { migrate } from '../../src/modes/standalone/database/migrate.js';
import { PostgresJobStore, PostgresWakeups } from '../../src/modes/standalone/stores/jobs/index.js';
import { PostgresObjectStore } from '../../src/modes/standalone/stores/objects/postgres-object-store.js';
import { writeOutcome } from '../../src/modes/standalone/stores/runs/outcome-writer.js';
import { PostgresDesiredState } from '../../src/modes/standalone/stores/runs/postgres-desired-state.js';
import { PostgresLedger } from '../../src/modes/standalone/stores/runs/postgres-ledger.js';
import { PostgresProgress } from '../../src/modes/standalone/stores/runs/postgres-progress.js';
import { PostgresTargetHealth } from '../../src/modes/standalone/stores/runs/postgres-target-health.js';
import { mockProvider } from '../../src/modules/providers/mock/index.js';
import { ProviderRegistry } from '../../src/modules/providers/registry.js';
import { Ledger, Reconciler, StepExecutor, type LedgerOutcome } from '../../src/modules/reconcile/index.js';
import type { Claim, Fence } from '../../src/modules/queue/index.js';
import { ProviderCalls, RunPlanner, ValueSources } from '../../src/modules/solution/index.js';
import { effectsOfWrite } from '../../src/modules/state/index.js';
import { createTestDatabase } from './postgres.js';

/** Between which two steps of a run the process ends. */
export const CRASH_POINTS = [
  'before the intent',
  'between intent and call',
  'between call and outcome',
  'after the outcome',
  'before the end is written',
  'after the end is written',
] as const;
type CrashPoint = (typeof CRASH_POINTS)[number];

export interface Fault {
  point: CrashPoint;
  /** At which passing of that point, counted from 1. */
  at: number;
  /** `killed`: nothing more happens. `lease lost`: the run is told to stop, and what it still writes is what it may. */
  how: 'killed' | 'lease lost';
}

class Killed extends Error {}

/** One engine process, which ends when it comes to its fault. */
class Process {
  dead = false;
  readonly stop = new AbortController();
  #passed = 0;

  constructor(readonly fault: Fault | undefined) {}

  pass(point: CrashPoint): void {
    if (this.dead) throw new Killed();
    if (this.fault?.point !== point || ++this.#passed !== this.fault.at) return;
    this.dead = this.fault.how === 'killed';
    this.stop.abort(new Error('the lease is lost'));
    if (this.dead) throw new Killed();
  }

  get ended(): boolean {
    return this.dead || this.stop.signal.aborted;
  }
}

class FaultyLedger extends Ledger {
  constructor(
    private readonly real: Ledger,
    private readonly process: Process,
  ) {
    super();
  }

  override entriesOf(ownerUid: string): Promise<LedgerEntry[]> {
    return this.real.entriesOf(ownerUid);
  }

  override ownersOn(targetUid: string, limit: number) {
    return this.real.ownersOn(targetUid, limit);
  }

  override async begin(fence: Fence, entries: readonly LedgerEntry[]): Promise<void> {
    this.process.pass('before the intent');
    await this.real.begin(fence, entries);
    this.process.pass('between intent and call');
  }

  override async settle(fence: Fence, ownerUid: string, outcomes: readonly LedgerOutcome[]): Promise<void> {
    this.process.pass('between call and outcome');
    await this.real.settle(fence, ownerUid, outcomes);
    this.process.pass('after the outcome');
  }
}

/** The real reconciler on the real stores, one process after the other, each ended where a test wants it. */
export class CrashLab {
  readonly #registry = new ProviderRegistry();
  readonly #jobs: PostgresJobStore;
  readonly #objects: PostgresObjectStore;

  private constructor(
    readonly database: Database,
    private readonly wakeups: PostgresWakeups,
    private readonly drop: () => Promise<void>,
  ) {
    this.#registry.register(mockProvider());
    this.#jobs = new PostgresJobStore(database, writeOutcome, wakeups);
    this.#objects = new PostgresObjectStore(database, wakeups);
  }

  static async open(): Promise<CrashLab> {
    const testDatabase = await createTestDatabase('crashes');
    const { url } = testDatabase;
    const source = createDataSource({ url, poolSize: 6, applicationName: 'crash-lab' });
    await source.initialize();
    await migrate(source);
    const wakeups = new PostgresWakeups({ connection: { connectionString: url } });
    return new CrashLab(new Database(source), wakeups, async () => {
      await source.destroy();
      await testDatabase.drop();
    });
  }

  async close(): Promise<void> {
    await this.wakeups.stop();
    await this.drop();
  }

  async put<K extends ObjectKind>(
    kind: K,
    namespace: string,
    name: string,
    spec: SpecByKind[K],
  ): Promise<void> {
    const empty = { labels: {}, annotations: {}, precondition: {} };
    await this.#objects.put({ kind, namespace, name, spec, ...empty }, (before, after) =>
      effectsOfWrite(before, after, 'tester'),
    );
  }

  async delete(kind: ObjectKind, namespace: string, name: string): Promise<void> {
    await this.#objects.requestDeletion({ kind, namespace, name }, {}, (before, after) =>
      effectsOfWrite(before, after, 'tester'),
    );
  }

  async exists(kind: DeployableKind, namespace: string, name: string): Promise<boolean> {
    return (await this.#objects.get({ kind, namespace, name })) !== undefined;
  }

  async statusOf(namespace: string, name: string) {
    const object = await this.#objects.get({ kind: 'Instance', namespace, name });
    const engine = object?.status.engine;
    return engine && { word: engine.status, current: engine.observedGeneration === object.generation };
  }

  /** What the ledger holds of a namespace, without what differs from one trial to the next. */
  async ledger(namespace: string): Promise<string[]> {
    const rows = await this.database.query<{ row: string }>(
      `SELECT concat_ws(' ', owner_kind, owner_name, component, target_name, role, state, applied->'properties') AS row
       FROM ledger WHERE owner_namespace = $1 ORDER BY 1`,
      [namespace],
    );
    return rows.map(({ row }) => row);
  }

  /** Lets the time pass until whatever waits for its retry is due. */
  async hurry(): Promise<void> {
    await this.database.query('UPDATE lanes SET due_at = now() WHERE due_at > now()');
  }

  /**
   * Serves what is due in one process until nothing is left, or until the process ends at its fault.
   * @returns true when it came to the fault
   */
  async serve(fault?: Fault): Promise<boolean> {
    const process = new Process(fault);
    const worker = `crash-lab-${randomUUID()}`;
    await this.#jobs.register(worker, 60_000);
    const reconciler = this.#reconcilerOf(process);
    try {
      for (;;) {
        while (await this.#jobs.expandFanOuts(100));
        const [claim] = await this.#jobs.claim({ worker, limit: 1, periodic: true });
        if (!claim) return process.ended;
        await this.#run(reconciler, claim, process);
        if (process.ended) return true;
      }
    } finally {
      // What a take-over does once the lease of the process has ended.
      await this.#jobs.retire(worker);
    }
  }

  async #run(reconciler: Reconciler, claim: Claim, process: Process): Promise<void> {
    const superseded = new AbortController().signal;
    try {
      const outcome = await reconciler.run(claim, {
        stop: process.stop.signal,
        superseded,
        waitsFor: () => undefined,
      });
      process.pass('before the end is written');
      if (process.ended) return;
      const waits = outcome.reason.code === 'TargetInUse';
      if (outcome.result === 'retry' && !waits) throw new Error(`the run failed: ${outcome.reason.message}`);
      await this.#jobs.complete(claim, outcome);
      process.pass('after the end is written');
    } catch (error) {
      if (!process.ended) throw error;
    }
  }

  #reconcilerOf(process: Process): Reconciler {
    const ledger = new FaultyLedger(new PostgresLedger(this.database, this.wakeups), process);
    const health = new PostgresTargetHealth(this.database);
    const calls = new ProviderCalls(this.#registry);
    const planner = new RunPlanner(new ValueSources([]), calls, health, {
      digestKey: new Uint8Array(32),
      targetsAtOnce: 8,
    });
    return new Reconciler({
      reader: new PostgresDesiredState(this.database),
      planner,
      executor: new StepExecutor(planner, calls, ledger),
      ledger,
      health,
      progress: new PostgresProgress(this.database),
      intervals: { interval: 0, minInterval: 0 },
    });
  }
}

/** Name and properties of everything, in the order of names. */
export function tableOf(contents: readonly ComponentSpec[]): string[] {
  return contents.map((item) => `${item.name} ${JSON.stringify(item.properties ?? {})}`).sort();
}
