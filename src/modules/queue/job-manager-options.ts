import type { LoggerService } from '@nestjs/common';

/** Nest's token of `JobManagerOptions`. */
export const JOB_MANAGER_OPTIONS = Symbol('JOB_MANAGER_OPTIONS');

export interface JobManagerOptions {
  /** Runs at the same time in this process. */
  concurrency: number;
  /** A worker that does not renew for this long is dead. Renewed every third; aborts its runs at two thirds. */
  leaseMs: number;
  /** How long runs may go on after the stop was asked for. */
  drainMs: number;
  /** Longest time between two looks for work, for what no wake-up told. */
  pollMs: number;
  /** Periodic runs per second at most, so that all that is overdue after a stop does not start at once. */
  periodicPerSecond: number;
  /** Dependents that are ordered in one transaction. */
  fanOutPage: number;
  /** Begins the worker's id, which must be its own at each start. */
  worker: string;
  /** Nobody else can have the store (the embedded database): what earlier processes held is free at once. */
  sole: boolean;
  log?: Pick<LoggerService, 'debug' | 'log' | 'warn' | 'error'>;
}

export const DEFAULT_JOB_MANAGER_OPTIONS: JobManagerOptions = {
  concurrency: 16,
  leaseMs: 5_000,
  drainMs: 10_000,
  pollMs: 5_000,
  // 100,000 objects that are looked at every half hour need 56 a second; a look costs about 3 ms of processor time.
  periodicPerSecond: 100,
  fanOutPage: 500,
  worker: 'worker',
  sole: false,
};

/** A lease that ended is taken over only this much later: time for the holder to end what it started. */
export function abortGraceMs(leaseMs: number): number {
  return leaseMs / 3;
}
