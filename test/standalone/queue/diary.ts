import type { RunOutcome } from '../../../src/modules/queue/index.js';
import type { Database } from '../../../src/modes/standalone/database/database.js';
import { pause } from '../../../src/modules/queue/latch.js';
import type { Handle } from './manager.js';

export const CREATE_DIARY = `
  CREATE TABLE diary (lane text, epoch bigint, worker text, seq bigint, started timestamptz, ended timestamptz)`;

/** A handler that writes down, by the database's clock, when each run began and ended. */
export function keepDiary(
  database: Database,
  worker: string,
  runMs: number,
  outcome: () => RunOutcome,
): Handle {
  return async (claim, { stop }) => {
    const entry = [claim.fence.laneId, claim.fence.epoch, worker, claim.seq];
    await database.query('INSERT INTO diary VALUES ($1, $2, $3, $4, clock_timestamp(), NULL)', entry);
    await pause(runMs, stop);
    await database.query(
      'UPDATE diary SET ended = clock_timestamp() WHERE lane = $1 AND epoch = $2',
      entry.slice(0, 2),
    );
    return outcome();
  };
}

/** Runs of one lane that overlap; one without an end ended when its worker was killed. */
export function overlaps(database: Database, killedAt: Date): Promise<unknown[]> {
  return database.query(
    `SELECT a.lane, a.epoch, b.epoch AS other FROM diary a JOIN diary b ON a.lane = b.lane AND a.epoch < b.epoch
     WHERE b.started < coalesce(a.ended, $1)`,
    [killedAt],
  );
}
