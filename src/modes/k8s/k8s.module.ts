import {
  Module,
  type BeforeApplicationShutdown,
  type DynamicModule,
  type OnApplicationShutdown,
  type OnModuleInit,
} from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { SigningKeyStore } from '../../modules/auth/index.js';
import { ReadinessRegistry } from '../../modules/health/index.js';
import {
  Metrics,
  StoreFiguresReader,
  type PoolFigures,
  type StoreFigures,
} from '../../modules/metrics/index.js';
import { JobManager, JobStore, JobWaker, SummaryStore } from '../../modules/queue/index.js';
import { Ledger, ProgressStore } from '../../modules/reconcile/index.js';
import {
  DesiredStateReader,
  DigestKey,
  RunHistory,
  SourcesOfMode,
  TargetHealth,
} from '../../modules/solution/index.js';
import { ObjectStore } from '../../modules/state/index.js';
import type { KubernetesRuntime } from './runtime.js';

const LOOK_MS = 50;

/** Follows the cluster from the start of the application to its end; last, when the job manager has drained. */
class KubernetesLifecycle implements OnModuleInit, BeforeApplicationShutdown, OnApplicationShutdown {
  constructor(
    private readonly runtime: KubernetesRuntime,
    private readonly readiness: ReadinessRegistry,
    private readonly modules: ModuleRef,
  ) {}

  onModuleInit(): void {
    const { runtime } = this;
    runtime.runsSettled = () => this.#runsSettled();
    runtime.metrics.register(this.modules.get(Metrics, { strict: false }));
    runtime.start();
    this.readiness.register('kubernetes', runtime.rest.readiness);
  }

  beforeApplicationShutdown(): void {
    const manager = this.modules.get(JobManager, { strict: false });
    this.runtime.inbox.endWaits(() => manager.running === 0);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.runtime.close();
  }

  /** The elector waits for it no longer than one lease. */
  async #runsSettled(): Promise<void> {
    const manager = this.modules.get(JobManager, { strict: false });
    while (manager.running > 0) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}

class KubernetesFigures extends StoreFiguresReader {
  constructor(private readonly runtime: KubernetesRuntime) {
    super();
  }

  override read(): Promise<StoreFigures> {
    const { lanes, health } = this.runtime;
    return Promise.resolve({ ...lanes.figures(), openBreakers: health.open });
  }

  /** There is no database. */
  override pool(): PoolFigures {
    return { total: 0, idle: 0, waiting: 0 };
  }
}

/** The Kubernetes adapters of the modules' ports. */
@Module({})
export class K8sModule {
  static forRuntime(runtime: KubernetesRuntime): DynamicModule {
    const ports = [
      { provide: JobWaker, useValue: runtime.waker },
      { provide: SigningKeyStore, useValue: runtime.signingKeys },
      { provide: ObjectStore, useValue: runtime.store },
      { provide: JobStore, useValue: runtime.lanes },
      { provide: SummaryStore, useValue: runtime.summaries },
      { provide: Ledger, useValue: runtime.ledger },
      { provide: ProgressStore, useValue: runtime.progress },
      { provide: DesiredStateReader, useValue: runtime.desiredState },
      { provide: RunHistory, useValue: runtime.history },
      { provide: TargetHealth, useValue: runtime.health },
      { provide: SourcesOfMode, useValue: { sources: [runtime.values] } satisfies SourcesOfMode },
      { provide: StoreFiguresReader, useValue: new KubernetesFigures(runtime) },
      { provide: DigestKey, useFactory: async () => DigestKey.from(await runtime.signingKeys.load()) },
    ];
    return {
      module: K8sModule,
      global: true,
      providers: [
        ...ports,
        {
          provide: KubernetesLifecycle,
          useFactory: (readiness: ReadinessRegistry, modules: ModuleRef) =>
            new KubernetesLifecycle(runtime, readiness, modules),
          inject: [ReadinessRegistry, ModuleRef],
        },
      ],
      exports: ports.map(({ provide }) => provide),
    };
  }
}
