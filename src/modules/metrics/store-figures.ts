import type { ReasonCode } from '@symphony/model';
import type { Cause, LaneKey, LaneState } from '../queue/index.js';

/** How many lanes are in this state, with this as the reason of their last run. */
export interface LaneFigure {
  kind: LaneKey['kind'];
  state: LaneState;
  /** Undefined before the first run has ended. */
  reason?: ReasonCode;
  count: number;
}

/** Orders that are due and have not begun. */
export interface DueFigure {
  cause: Cause;
  count: number;
  /** Age of the one that has been due for longest. */
  oldestSeconds: number;
}

export interface StoreFigures {
  lanes: LaneFigure[];
  due: DueFigure[];
  /** Writes whose dependents are not all ordered yet. */
  fanOuts: number;
  /** Targets that are left alone because they did not answer. */
  openBreakers: number;
  /** Processes that serve the lanes. */
  workers: number;
}

/** The database connections of this process. */
export interface PoolFigures {
  /** Open, `idle` included. */
  total: number;
  idle: number;
  /** Requests for a connection that wait for one. */
  waiting: number;
}

/** What the metrics ask of a mode's store. */
export abstract class StoreFiguresReader {
  /** Counts; the same on every replica. Costs one look at each lane: the caller keeps the answer for a while. */
  abstract read(): Promise<StoreFigures>;
  abstract pool(): PoolFigures;
}
