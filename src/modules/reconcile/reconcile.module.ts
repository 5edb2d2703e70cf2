import { Logger, Module, type DynamicModule } from '@nestjs/common';
import type { IntervalDefaults } from '@symphony/model';
import { Events } from '../events/index.js';
import { ScriptLeftovers } from '../providers/index.js';
import { JobStore, RunHandler } from '../queue/index.js';
import { DesiredStateReader, ProviderCalls, RunPlanner, TargetHealth } from '../solution/index.js';
import { InlineController } from './inline.controller.js';
import { InlineService } from './inline.service.js';
import { Ledger } from './ledger.js';
import { ProgressStore } from './progress.js';
import { Reconciler } from './reconciler.js';
import { StepExecutor } from './step-executor.js';
import { TargetWatcher } from './target-watcher.js';

export interface ReconcileOptions {
  intervals: IntervalDefaults;
  /** Within which a removal is to have ended, where the object does not say it. Milliseconds. */
  deleteTimeoutMs: number;
  /** Steps that one run carries out at once. */
  stepsAtOnce: number;
  /** How long a report on what a provider left pending is waited for. Milliseconds. */
  reportWithinMs: number;
}

/** Carries plans out. */
@Module({})
export class ReconcileModule {
  static forRoot(options: ReconcileOptions, imports: NonNullable<DynamicModule['imports']>): DynamicModule {
    return {
      module: ReconcileModule,
      global: true,
      imports,
      controllers: [InlineController],
      providers: [
        InlineService,
        {
          provide: StepExecutor,
          useFactory: (planner: RunPlanner, calls: ProviderCalls, ledger: Ledger, events: Events) =>
            new StepExecutor(planner, calls, ledger, {
              stepsAtOnce: options.stepsAtOnce,
              reportWithinMs: options.reportWithinMs,
              onStep: (step) => events.emit('step.finished', step),
            }),
          inject: [RunPlanner, ProviderCalls, Ledger, Events],
        },
        {
          provide: TargetWatcher,
          useFactory: (planner: RunPlanner, ledger: Ledger, jobs: JobStore) => {
            const logger = new Logger(TargetWatcher.name);
            return new TargetWatcher(planner, ledger, jobs, { log: (message) => logger.warn(message) });
          },
          inject: [RunPlanner, Ledger, JobStore],
        },
        {
          provide: RunHandler,
          useFactory: (
            reader: DesiredStateReader,
            planner: RunPlanner,
            executor: StepExecutor,
            ledger: Ledger,
            health: TargetHealth,
            progress: ProgressStore,
            leftovers: ScriptLeftovers,
          ) =>
            new Reconciler({
              reader,
              planner,
              executor,
              ledger,
              health,
              progress,
              intervals: options.intervals,
              deleteTimeoutMs: options.deleteTimeoutMs,
              endLeftovers: () => leftovers.end(),
            }),
          inject: [
            DesiredStateReader,
            RunPlanner,
            StepExecutor,
            Ledger,
            TargetHealth,
            ProgressStore,
            ScriptLeftovers,
          ],
        },
      ],
      exports: [RunHandler],
    };
  }
}
