import { EventEmitter2 } from '@nestjs/event-emitter';
import { SymphonyError } from '@symphony/model';
import { Events } from '../../src/modules/events/index.js';
import { ProviderRegistry } from '../../src/modules/providers/index.js';
import {
  DEFAULT_JOB_MANAGER_OPTIONS,
  JobManager,
  RunHandler,
  type Claim,
  type RunControl,
  type RunOutcome,
} from '../../src/modules/queue/index.js';
import { Reconciler, StepExecutor } from '../../src/modules/reconcile/index.js';
import { ProviderCalls, RunPlanner, TargetSlots, ValueSources } from '../../src/modules/solution/index.js';
import type { Checker } from './checker.js';
import { ledgerWith, readerWith, type PlantedBug } from './planted-bugs.js';
import { SimulatedHealth, SimulatedJobStore, SimulatedProgress, type PortContext } from './ports.js';
import { simulatedProvider } from './provider.js';
import type { Happening, Owner } from './virtual-time.js';
import type { World } from './world.js';

const LEASE_MS = 5_000;
const CALL_TIMEOUT_MS = 15_000;
const INTERVAL_MS = 60_000;

const DIGEST_KEY = new Uint8Array(32).fill(7);

/** One engine process: the product's job manager, reconciler and planner over simulated ports. Killed, it never comes back. */
export class EngineProcess implements Owner {
  alive = true;
  paused = false;
  wallOffsetMs = 0;
  /** Asked to end by itself. */
  draining = false;
  readonly backlog: Happening[] = [];
  readonly jobs: SimulatedJobStore;
  readonly manager: JobManager;

  /** @param name of its place among the processes; a restarted one has the same */
  constructor(
    readonly name: string,
    shared: Omit<PortContext, 'owner' | 'wake' | 'trace'> & { world: World; bug: PlantedBug | undefined },
    trace: (text: string) => void,
    wake: (from: EngineProcess, ...hint: Parameters<PortContext['wake']>) => void,
  ) {
    const context: PortContext = {
      owner: this,
      network: shared.network,
      tables: shared.tables,
      checker: shared.checker,
      trace: (text) => trace(`${name} ${text}`),
      wake: (hint) => wake(this, hint),
    };
    this.jobs = new SimulatedJobStore(context);
    const registry = new ProviderRegistry();
    registry.register(simulatedProvider(shared.world, shared.checker, this));
    const slots = new TargetSlots();
    const calls = new ProviderCalls(registry, { callTimeoutMs: CALL_TIMEOUT_MS }, slots);
    const health = new SimulatedHealth(context);
    const ledger = ledgerWith(shared.bug, context);
    const planner = new RunPlanner(new ValueSources([]), calls, health, {
      digestKey: DIGEST_KEY,
      targetsAtOnce: 4,
    });
    const reconciler = new Reconciler({
      reader: readerWith(shared.bug, context),
      planner,
      executor: new StepExecutor(planner, calls, ledger),
      ledger,
      health,
      progress: new SimulatedProgress(context),
      intervals: { interval: INTERVAL_MS, minInterval: 1_000 },
    });
    const quiet = (): void => undefined;
    const tell = (message: unknown, error?: unknown): void => {
      const { msg } = message as { msg: string };
      context.trace(`${msg}${error instanceof Error ? `: ${error.message}` : ''}`);
    };
    const complain = (message: unknown, error?: unknown): void => {
      tell(message, error);
      // What the store or a target did is an error with a name; anything else is a mistake of ours.
      const known = error instanceof SymphonyError;
      if (!known) shared.checker.violate('engine-fault', `${name}: ${String(error)}`);
    };
    const handler = new WatchedHandler(reconciler, shared.checker, this);
    this.manager = new JobManager(this.jobs, handler, new Events(new EventEmitter2()), {
      ...DEFAULT_JOB_MANAGER_OPTIONS,
      leaseMs: LEASE_MS,
      concurrency: 4,
      worker: name,
      log: { debug: quiet, log: quiet, warn: tell, error: complain },
    });
  }
}

/** The handler itself, with its beginnings and ends told to the checker. */
class WatchedHandler extends RunHandler {
  constructor(
    private readonly handler: RunHandler,
    private readonly checker: Checker,
    private readonly owner: Owner,
  ) {
    super();
  }

  override async run(claim: Claim, control: RunControl): Promise<RunOutcome> {
    const ended = this.checker.runStarted(this.owner, claim, control);
    try {
      return await this.handler.run(claim, control);
    } finally {
      ended();
    }
  }
}
