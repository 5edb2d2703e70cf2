import { FencedError, type Fence } from '../../../../modules/queue/index.js';
import type { Sql, Statement } from '../../database/database.js';

const check = (lock: 'SHARE' | 'UPDATE'): Statement => ({
  name: `lane_fence_${lock.toLowerCase()}`,
  text: `SELECT 1 AS held FROM lanes WHERE id = $1 AND epoch = $2 AND worker IS NOT NULL FOR ${lock}`,
});
const CHECKS = { SHARE: check('SHARE'), UPDATE: check('UPDATE') };

/**
 * Makes the caller's transaction valid only while the run still has its lane: a take-over waits until the transaction
 * has ended, or came first and is seen.
 * @param lock `UPDATE` when the same transaction goes on to change the lane
 * @throws FencedError when the lane was taken over, freed or removed
 */
export async function assertFence(sql: Sql, fence: Fence, lock: 'SHARE' | 'UPDATE' = 'SHARE'): Promise<void> {
  const rows = await sql.query(CHECKS[lock], [fence.laneId, fence.epoch]);
  if (rows.length === 0) throw new FencedError();
}
