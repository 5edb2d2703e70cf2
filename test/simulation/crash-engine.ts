import { EventEmitter2 } from '@nestjs/event-emitter';
import type { ProviderDefinition } from '@symphony/provider-kit';
import type { Database } from '../../src/modes/standalone/database/database.js';
import { PostgresJobStore } from '../../src/modes/standalone/stores/jobs/index.js';
import { PostgresObjectStore } from '../../src/modes/standalone/stores/objects/postgres-object-store.js';
import { writeOutcome } from '../../src/modes/standalone/stores/runs/outcome-writer.js';
import { PostgresDesiredState } from '../../src/modes/standalone/stores/runs/postgres-desired-state.js';
import { PostgresLedger } from '../../src/modes/standalone/stores/runs/postgres-ledger.js';
import { PostgresProgress } from '../../src/modes/standalone/stores/runs/postgres-progress.js';
import { PostgresTargetHealth } from '../../src/modes/standalone/stores/runs/postgres-target-health.js';
import { Events } from '../../src/modules/events/index.js';
import { mockProvider } from '../../src/modules/providers/mock/index.js';
import { ProviderRegistry } from '../../src/modules/providers/registry.js';
import { DEFAULT_JOB_MANAGER_OPTIONS, JobManager, type WakeHint } from '../../src/modules/queue/index.js';
import { Reconciler, StepExecutor } from '../../src/modules/reconcile/index.js';
import { ProviderCalls, RunPlanner, ValueSources } from '../../src/modules/solution/index.js';
import type { ObjectStore } from '../../src/modules/state/index.js';
import { Fuse } from './fuse.js';

/** Wakes the workers of this engine only: nothing here relies on another's hints. */
class LocalWaker {
  readonly #listeners = new Set<(hint: WakeHint) => void>();

  wake(hint: WakeHint): void {
    for (const listener of this.#listeners) listener(hint);
  }

  onWake(listener: (hint: WakeHint) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  finished(): void {
    // Nobody waits for posted deployments here.
  }
}

const quiet = (): void => undefined;
/** Failures are tried again soon: the test waits for them. */
const BACKOFF = { minMs: 20, firstMs: 20, maxMs: 100 };

/** An engine on a real database, with the fuse between it and all that it calls. */
export class CrashEngine {
  readonly objects: ObjectStore;
  readonly #manager: JobManager;

  constructor(
    database: Database,
    readonly fuse: Fuse,
  ) {
    const waker = new LocalWaker();
    const jobs = fuse.guard(
      new PostgresJobStore(database, writeOutcome, waker, { backoff: BACKOFF }),
      ['complete', 'order'],
      {
        claim: (claims) => Array.isArray(claims) && claims.length > 0,
        expandFanOuts: (expanded) => expanded === true,
        takeOver: (lanes) => lanes !== 0,
      },
    );
    this.objects = fuse.guard(new PostgresObjectStore(database, waker), ['put', 'requestDeletion']);
    const ledger = fuse.guard(new PostgresLedger(database, waker), ['begin', 'settle']);
    const health = fuse.guard(new PostgresTargetHealth(database), ['failed', 'recovered', 'takeProbe']);
    const registry = new ProviderRegistry();
    registry.register(this.#guarded(mockProvider()));
    const calls = new ProviderCalls(registry);
    const planner = new RunPlanner(new ValueSources([]), calls, health, {
      digestKey: new Uint8Array(32).fill(1),
      targetsAtOnce: 4,
    });
    const reconciler = new Reconciler({
      reader: fuse.guard(new PostgresDesiredState(database), []),
      planner,
      executor: new StepExecutor(planner, calls, ledger),
      ledger,
      health,
      progress: fuse.guard(new PostgresProgress(database), []),
      intervals: { interval: 0, minInterval: 1_000 },
    });
    this.#manager = new JobManager(jobs, reconciler, new Events(new EventEmitter2()), {
      ...DEFAULT_JOB_MANAGER_OPTIONS,
      // One run after the other: the points come in the same order each time.
      concurrency: 1,
      pollMs: 100,
      worker: 'crash-points',
      log: { debug: quiet, log: quiet, warn: quiet, error: quiet },
    });
    this.#manager.start();
  }

  #guarded(definition: ProviderDefinition): ProviderDefinition {
    return {
      ...definition,
      create: (config, binding) => this.fuse.guard(definition.create(config, binding), ['get', 'apply']),
    };
  }

  /** Ends an engine that is alive. A dead one cannot be ended in order. */
  async stop(): Promise<void> {
    if (!this.fuse.isBlown) await this.#manager.stop();
  }
}
