import { Inject, Injectable, type OnModuleInit } from '@nestjs/common';
import { processFaults } from '../health/index.js';
import { Metrics } from './metrics.js';

/** Nest's token of the version text. */
export const ENGINE_VERSION = Symbol('ENGINE_VERSION');

/** Metrics of the process itself. */
@Injectable()
export class ProcessMetrics implements OnModuleInit {
  constructor(
    private readonly metrics: Metrics,
    @Inject(ENGINE_VERSION) private readonly version: string,
  ) {}

  onModuleInit(): void {
    this.metrics.collectProcess();
    this.metrics.gauge(
      'symphony_build_info',
      'Always 1; the labels say what runs.',
      ['version', 'node'],
      () => [{ labels: { version: this.version, node: process.versions.node }, value: 1 }],
    );
    this.metrics.gauge(
      'symphony_process_faults',
      'Errors since the start that nobody caught.',
      ['kind'],
      () => Object.entries(processFaults.totals).map(([kind, value]) => ({ labels: { kind }, value })),
    );
  }
}
