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

export const quiet: NonNullable<JobManagerOptions['log']> = {
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
  beforeTakeOver: () => Promise<void> = () => Promise.resolve(),
): JobManager {
  const handler = {
    run: (claim: Claim, control: RunControl) => Promise.resolve(handle(claim, control)),
    beforeTakeOver,
  };
  const manager = new JobManager(store, handler, new Events(new EventEmitter2()), {
    ...DEFAULT_JOB_MANAGER_OPTIONS,
    log: quiet,
    ...options,
  });
  manager.start();
  return manager;
}
