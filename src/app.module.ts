import { type DynamicModule, Module } from '@nestjs/common';
import type { AppConfig } from './config/index.js';
import { HealthModule } from './modules/health/index.js';

@Module({})
export class AppModule {
  /** The modules of one launch mode. */
  static forMode(_mode: AppConfig['mode']): DynamicModule {
    return { module: AppModule, imports: [HealthModule] };
  }
}
