import type { Claim, RunOutcome } from './lanes.js';

/** What a run is told while it runs. */
export interface RunControl {
  /** Aborted when the lease is lost or the engine's drain ends: stop at once, write nothing. */
  readonly stop: AbortSignal;
  /** Aborted when a newer order for the same object waits: end waits, start nothing more that is not needed. */
  readonly superseded: AbortSignal;
  /** Tells that the run waits for something outside of this process until that work settles: meanwhile it needs no slot. */
  readonly waitsFor: (work: Promise<unknown>) => void;
}

/** Executes the runs of claimed lanes. Never rejects for what a user, provider or target did: that is an outcome. */
export abstract class RunHandler {
  abstract run(claim: Claim, control: RunControl): Promise<RunOutcome>;

  /**
   * Ends what a worker that is gone may have left running on this machine, before its lanes can be claimed. When it fails they
   * are claimed all the same: whatever must not overlap has to be ended by the run itself.
   */
  beforeTakeOver(): Promise<void> {
    return Promise.resolve();
  }
}
