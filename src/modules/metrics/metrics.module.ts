import { Module, type DynamicModule } from '@nestjs/common';
import { HttpMetrics } from './http-metrics.js';
import { MetricsController, PublicMetricsController } from './metrics.controller.js';
import { Metrics } from './metrics.js';
import { ENGINE_VERSION, ProcessMetrics } from './process-metrics.js';
import { RunMetrics } from './run-metrics.js';
import { StoreMetrics } from './store-metrics.js';

export interface MetricsOptions {
  /** Whether /metrics answers without a token. */
  public: boolean;
  /** Of the engine, for `symphony_build_info`. */
  version: string;
}

/** Measures the engine for operators. A global module provides {@link StoreFiguresReader} and `Events`. */
@Module({})
export class MetricsModule {
  static forRoot(options: MetricsOptions): DynamicModule {
    return {
      module: MetricsModule,
      controllers: [options.public ? PublicMetricsController : MetricsController],
      providers: [
        Metrics,
        { provide: ENGINE_VERSION, useValue: options.version },
        RunMetrics,
        StoreMetrics,
        HttpMetrics,
        ProcessMetrics,
      ],
    };
  }
}
