import { Module, type DynamicModule } from '@nestjs/common';
import {
  DEFAULT_JOB_MANAGER_OPTIONS,
  JOB_MANAGER_OPTIONS,
  type JobManagerOptions,
} from './job-manager-options.js';
import { JobManager } from './job-manager.js';

/** The job manager. The `JobStore` comes from the mode, the `RunHandler` from the reconcile module; both are global. */
@Module({})
export class QueueModule {
  static forRoot(options: Partial<JobManagerOptions>): DynamicModule {
    return {
      module: QueueModule,
      providers: [
        JobManager,
        { provide: JOB_MANAGER_OPTIONS, useValue: { ...DEFAULT_JOB_MANAGER_OPTIONS, ...options } },
      ],
      exports: [JobManager],
    };
  }
}
