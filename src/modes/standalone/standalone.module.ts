import { Module, type DynamicModule, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common';
import { Logger } from '@nestjs/common';
import { SigningKeyStore } from '../../modules/auth/index.js';
import { ReadinessRegistry } from '../../modules/health/index.js';
import { StoreFiguresReader } from '../../modules/metrics/index.js';
import { JobStore, JobWaker, SummaryStore } from '../../modules/queue/index.js';
import { Ledger, ProgressStore } from '../../modules/reconcile/index.js';
import {
  DesiredStateReader,
  DigestKey,
  RunHistory,
  SharedSlots,
  TargetHealth,
} from '../../modules/solution/index.js';
import { ObjectStore } from '../../modules/state/index.js';
import { Database } from './database/database.js';
import { StandaloneRuntime } from './runtime.js';
import { PostgresSigningKeyStore } from './stores/auth/signing-key-store.js';
import { PostgresJobStore, PostgresWakeups } from './stores/jobs/index.js';
import { PostgresFigures } from './stores/metrics/postgres-figures.js';
import { PostgresObjectStore } from './stores/objects/postgres-object-store.js';
import { writeOutcome, writeOutcomes } from './stores/runs/outcome-writer.js';
import { PostgresDesiredState } from './stores/runs/postgres-desired-state.js';
import { PostgresLedger } from './stores/runs/postgres-ledger.js';
import { PostgresProgress } from './stores/runs/postgres-progress.js';
import { PostgresRunHistory } from './stores/runs/postgres-run-history.js';
import { PostgresSummaries } from './stores/runs/postgres-summaries.js';
import { PostgresTargetHealth } from './stores/runs/postgres-target-health.js';
import { PostgresTargetSlots } from './stores/runs/postgres-target-slots.js';

/** Opens and closes what the adapters share; closed last, when the job manager has drained. */
class StandaloneLifecycle implements OnModuleInit, OnApplicationShutdown {
  constructor(
    private readonly runtime: StandaloneRuntime,
    private readonly wakeups: PostgresWakeups,
    private readonly slots: PostgresTargetSlots,
    private readonly readiness: ReadinessRegistry,
  ) {}

  onModuleInit(): void {
    this.wakeups.start();
    this.readiness.register('database', () => this.runtime.database.check());
  }

  async onApplicationShutdown(): Promise<void> {
    this.slots.stop();
    await this.wakeups.stop();
    await this.runtime.close();
  }
}

/** The PostgreSQL adapters of the modules' ports. */
@Module({})
export class StandaloneModule {
  static forRuntime(runtime: StandaloneRuntime): DynamicModule {
    const { database } = runtime;
    const logger = new Logger('Wakeups');
    const wakeups = new PostgresWakeups({
      connection: clientConfigOf(runtime),
      onProblem: (message) => logger.warn(message),
    });
    const slots = new PostgresTargetSlots(database, wakeups);
    const signingKeys = new PostgresSigningKeyStore(database);
    const ports = [
      { provide: JobWaker, useValue: wakeups },
      { provide: SigningKeyStore, useValue: signingKeys },
      { provide: ObjectStore, useValue: new PostgresObjectStore(database, wakeups) },
      {
        provide: JobStore,
        useValue: new PostgresJobStore(database, writeOutcome, wakeups, {
          leases: runtime.leases,
          writeMany: writeOutcomes,
          observer: slots,
        }),
      },
      { provide: SummaryStore, useValue: new PostgresSummaries(database) },
      { provide: Ledger, useValue: new PostgresLedger(database, wakeups) },
      { provide: ProgressStore, useValue: new PostgresProgress(database) },
      { provide: DesiredStateReader, useValue: new PostgresDesiredState(database) },
      { provide: RunHistory, useValue: new PostgresRunHistory(database) },
      { provide: TargetHealth, useValue: new PostgresTargetHealth(database, wakeups) },
      { provide: SharedSlots, useValue: slots },
      { provide: StoreFiguresReader, useValue: new PostgresFigures(database) },
      { provide: DigestKey, useFactory: async () => DigestKey.from(await signingKeys.load()) },
    ];
    return {
      module: StandaloneModule,
      global: true,
      providers: [
        ...ports,
        { provide: Database, useValue: database },
        {
          provide: StandaloneLifecycle,
          useFactory: (readiness: ReadinessRegistry) =>
            new StandaloneLifecycle(runtime, wakeups, slots, readiness),
          inject: [ReadinessRegistry],
        },
      ],
      exports: ports.map(({ provide }) => provide),
    };
  }
}

function clientConfigOf({ address }: StandaloneRuntime) {
  return 'url' in address ? { connectionString: address.url } : address.connection;
}
