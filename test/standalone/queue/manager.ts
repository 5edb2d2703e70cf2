import { EventEmitter2 } from '@nestjs/event-emitter';
import { Events } from '../../../src/modules/events/index.js';
import {
  DEFAULT_JOB_MANAGER_OPTIONS,
  JobManager,
  type Claim,
  type JobManagerOptions,
  type JobStore,
  type RunControl,
  type RunOutcome,
} from '../../../src/modules/queue/index.js';
import { outcomeOf } from './connect.js';

const quiet: NonNullable<JobManagerOptions['log']> = {
  debug: () => undefined,
  log: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

export type Handle = (claim: Claim, control: RunControl) => Promise<RunOutcome> | RunOutcome;

/** A started job manager with a handler of the test's own. */
export function startManager(
  store: JobStore,
  handle: Handle = () => outcomeOf(),
  options: Partial<JobManagerOptions> = {},
): JobManager {
  const handler = {
    run: (claim: Claim, control: RunControl) => Promise.resolve(handle(claim, control)),
    beforeTakeOver: () => Promise.resolve(),
  };
  const manager = new JobManager(store, handler, new Events(new EventEmitter2()), {
    ...DEFAULT_JOB_MANAGER_OPTIONS,
    log: quiet,
    ...options,
  });
  manager.start();
  return manager;
}
