import { FencedError, type Fence } from '../../../../modules/queue/index.js';
import type { Sql, Statement } from '../../database/database.js';

// FOR SHARE: a claim or take-over of the lane waits until the fenced write has committed, or comes first and is seen.
const CHECK: Statement = {
  name: 'lane_fence',
  text: `SELECT 1 AS held FROM lanes WHERE id = $1 AND epoch = $2 AND worker IS NOT NULL FOR SHARE`,
};

/**
 * Makes the caller's transaction valid only while the run still has its lane.
 * @throws FencedError when the lane was taken over, freed or removed
 */
export async function assertFence(sql: Sql, fence: Fence): Promise<void> {
  const rows = await sql.query(CHECK, [fence.laneId, fence.epoch]);
  if (rows.length === 0) throw new FencedError();
}
