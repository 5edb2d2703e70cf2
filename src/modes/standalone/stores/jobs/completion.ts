import type { Claim, CompleteResult, RunOutcome } from '../../../../modules/queue/index.js';
import type { Database, Sql, Statement } from '../../database/database.js';
import { assertFence } from './fence.js';

/** Writes status, summary and run record of an outcome, or removes the object, in the transaction that frees the lane. */
export type OutcomeWriter = (tx: Sql, claim: Claim, outcome: RunOutcome) => Promise<void>;

/** Retries: a random time up to `firstMs * 2^attempts`, between `minMs` and `maxMs`. */
export interface BackoffOptions {
  minMs: number;
  firstMs: number;
  maxMs: number;
}

const DEFAULT_BACKOFF: BackoffOptions = { minMs: 1_000, firstMs: 2_000, maxMs: 300_000 };

const MAX_MESSAGE = 1_000;

// The lane's row is locked before anything is decided from it. Two statements with opposite conditions (order_seq =
// claimed_seq, order_seq > claimed_seq) would both miss an order that commits between them: each looks at rows as they
// were when it began. Measured with graphile-like "done" statements: 3,000 of 4,000 orders lost until the lease ended.
const FINISH: Statement = {
  name: 'lane_finish',
  text: `
  WITH cur AS MATERIALIZED (
    SELECT l.id, l.order_seq > l.claimed_seq AS again FROM lanes l
    WHERE l.id = $1 AND l.epoch = $2 AND l.worker IS NOT NULL FOR UPDATE)
  UPDATE lanes AS l SET
    worker = NULL, claimed_at = NULL, result = $3, reason = $4, message = $5,
    last_hash = CASE WHEN $3 = 'succeeded' THEN $6::text END,
    done_seq = CASE WHEN $3 = 'yielded' THEN l.done_seq ELSE l.claimed_seq END,
    attempts = CASE WHEN cur.again THEN 0 WHEN $3 = 'retry' THEN l.attempts + 1
                    WHEN $3 = 'yielded' THEN l.attempts ELSE 0 END,
    cause = CASE WHEN cur.again OR $3 = 'yielded' THEN l.cause WHEN $3 IN ('retry', 'removed') THEN 2 ELSE 3 END,
    actor = CASE WHEN cur.again OR $3 = 'yielded' THEN l.actor END,
    due_at = CASE
      WHEN cur.again THEN l.due_at
      WHEN $3 = 'yielded' THEN now()
      -- An object that was to go and is there all the same is looked at again.
      WHEN $3 IN ('retry', 'removed') THEN now() + interval '1 ms' * greatest($8::float8, $9::float8,
        random() * least($11::float8, $10::float8 * 2 ^ least(l.attempts, 30)))
      WHEN $3 IN ('succeeded', 'waiting') THEN now() + interval '1 ms' * $7::float8
        * CASE WHEN l.done_seq = 0 THEN random() ELSE 0.9 + 0.2 * random() END
    END
  FROM cur WHERE l.id = cur.id
  RETURNING cur.again`,
};

// The lane goes with its object. It stays when the object is there after all (made anew while the run went on), and when
// another deployment was posted meanwhile.
const DROP: Statement = {
  name: 'lane_drop',
  text: `
  DELETE FROM lanes AS l
  WHERE l.id = $1 AND l.epoch = $2 AND (NOT l.inline OR l.order_seq = l.claimed_seq)
    AND NOT EXISTS (SELECT FROM objects o WHERE (o.kind, o.namespace, o.name) = (l.kind, l.namespace, l.name))
  RETURNING l.id`,
};

// An object's row is locked before its lane (orders.ts), and a foreign key or a removal would lock it afterwards.
const LOCK_OBJECT: Statement = {
  name: 'lane_lock_object',
  text: `SELECT 1 AS locked FROM objects WHERE kind = $1 AND namespace = $2 AND name = $3 FOR UPDATE`,
};
const KEEP_OBJECT: Statement = {
  name: 'lane_keep_object',
  text: `SELECT 1 AS locked FROM objects WHERE kind = $1 AND namespace = $2 AND name = $3 FOR KEY SHARE`,
};

export class Completion {
  constructor(
    private readonly database: Database,
    private readonly write: OutcomeWriter,
    private readonly backoff: BackoffOptions = DEFAULT_BACKOFF,
  ) {}

  /** All of the outcome, or nothing when the lane has a newer epoch. @throws FencedError in that case */
  async complete(claim: Claim, outcome: RunOutcome): Promise<CompleteResult> {
    const { status, summary, record, result } = outcome;
    if (result !== 'removed' && !status && !summary && !record)
      return this.#finish(this.database, claim, outcome);
    return this.database.transaction(async (tx) => {
      if (result === 'removed' || status) {
        const lock = result === 'removed' ? LOCK_OBJECT : KEEP_OBJECT;
        await tx.query(lock, [claim.kind, claim.namespace, claim.name]);
      }
      await assertFence(tx, claim.fence, 'UPDATE');
      await this.write(tx, claim, outcome);
      if (result === 'removed' && (await this.#drop(tx, claim))) return { fenced: false, again: false };
      return this.#finish(tx, claim, outcome);
    });
  }

  async #drop(tx: Sql, claim: Claim): Promise<boolean> {
    const gone = await tx.query(DROP, [claim.fence.laneId, claim.fence.epoch]);
    return gone.length > 0;
  }

  async #finish(sql: Sql, claim: Claim, outcome: RunOutcome): Promise<CompleteResult> {
    const rows = await sql.query<{ again: boolean }>(FINISH, [
      claim.fence.laneId,
      claim.fence.epoch,
      outcome.result,
      outcome.reason.code,
      outcome.reason.message.slice(0, MAX_MESSAGE),
      outcome.deploymentHash ?? null,
      outcome.nextRunMs ?? null,
      outcome.retryAfterMs ?? 0,
      this.backoff.minMs,
      this.backoff.firstMs,
      this.backoff.maxMs,
    ]);
    const [row] = rows;
    return row ? { fenced: false, again: row.again } : { fenced: true, again: false };
  }
}
