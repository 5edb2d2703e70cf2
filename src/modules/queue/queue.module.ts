import { Module, type DynamicModule } from '@nestjs/common';
import { JobManager } from './job-manager.js';
import {
  DEFAULT_JOB_MANAGER_OPTIONS,
  JOB_MANAGER_OPTIONS,
  type JobManagerOptions,
} from './job-manager-options.js';
import { JobsController } from './jobs.controller.js';
import { SolutionQueueController } from './solution-queue.controller.js';
import { SolutionQueueService } from './solution-queue.service.js';

/**
 * The job manager and its routes. Global modules provide `JobStore`, `SummaryStore`, `ObjectStore`, `RunHandler` and
 * `Events`. Imported from this file and not from the index: the routes need the state module, whose ports need the index.
 */
@Module({})
export class QueueModule {
  static forRoot(options: Partial<JobManagerOptions> = {}): DynamicModule {
    return {
      module: QueueModule,
      controllers: [SolutionQueueController, JobsController],
      providers: [
        JobManager,
        SolutionQueueService,
        { provide: JOB_MANAGER_OPTIONS, useValue: { ...DEFAULT_JOB_MANAGER_OPTIONS, ...options } },
      ],
      exports: [JobManager],
    };
  }
}
