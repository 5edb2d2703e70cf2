import { UnavailableError } from '@symphony/model';
import type { Claim, CompleteResult, RunOutcome } from '../../../../modules/queue/index.js';
import type { Database, Sql, Statement } from '../../database/database.js';
import { assertFence } from './fence.js';
import { Gather } from './gather.js';

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
// The locks are taken one by one in the order of the items; the new values are computed from the locked rows; the upsert
// always updates, and goes by the index whatever the planner believes (claims.ts).
const FINISH: Statement = {
  name: 'lane_finish',
  text: `
  WITH cur AS MATERIALIZED (
    SELECT l.*, l.order_seq > l.claimed_seq AS again, i.to_result, i.to_reason, i.to_message, i.hash, i.next_ms, i.retry_ms
    FROM jsonb_to_recordset($1::jsonb) AS i (lane bigint, of_epoch bigint, to_result text, to_reason text, to_message text,
                                             hash text, next_ms float8, retry_ms float8)
    CROSS JOIN LATERAL (
      SELECT l.* FROM lanes l WHERE l.id = i.lane AND l.epoch = i.of_epoch AND l.worker IS NOT NULL FOR UPDATE) AS l)
  INSERT INTO lanes AS l (id, kind, namespace, name, generation, deleting, order_seq,
                          result, reason, message, last_hash, done_seq, attempts, cause, actor, due_at)
  OVERRIDING SYSTEM VALUE
  SELECT c.id, c.kind, c.namespace, c.name, c.generation, c.deleting, c.order_seq, c.to_result, c.to_reason, c.to_message,
    CASE WHEN c.to_result = 'succeeded' THEN c.hash END,
    CASE WHEN c.to_result = 'yielded' THEN c.done_seq ELSE c.claimed_seq END,
    CASE WHEN c.again THEN 0 WHEN c.to_result = 'retry' THEN c.attempts + 1
         WHEN c.to_result = 'yielded' THEN c.attempts ELSE 0 END,
    CASE WHEN c.again OR c.to_result = 'yielded' THEN c.cause WHEN c.to_result IN ('retry', 'removed') THEN 2 ELSE 3 END,
    CASE WHEN c.again OR c.to_result = 'yielded' THEN c.actor END,
    CASE
      WHEN c.again THEN c.due_at
      WHEN c.to_result = 'yielded' THEN now()
      -- An object that was to go and is there all the same is looked at again.
      WHEN c.to_result IN ('retry', 'removed') THEN now() + interval '1 ms' * greatest(c.retry_ms, $2::float8,
        random() * least($4::float8, $3::float8 * 2 ^ least(c.attempts, 30)))
      WHEN c.to_result IN ('succeeded', 'waiting') THEN now() + interval '1 ms' * c.next_ms
        * CASE WHEN c.done_seq = 0 THEN random() ELSE 0.9 + 0.2 * random() END
    END
  FROM cur AS c
  ON CONFLICT ON CONSTRAINT lanes_pk DO UPDATE SET
    worker = NULL, claimed_at = NULL, result = excluded.result, reason = excluded.reason, message = excluded.message,
    last_hash = excluded.last_hash, done_seq = excluded.done_seq, attempts = excluded.attempts, cause = excluded.cause,
    actor = excluded.actor, due_at = excluded.due_at
  RETURNING l.id, l.epoch, l.order_seq > l.claimed_seq AS again`,
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

interface Completed {
  claim: Claim;
  outcome: RunOutcome;
}

interface FinishedRow {
  id: string;
  epoch: string;
  again: boolean;
}

const FENCED: CompleteResult = { fenced: true, again: false };

export class Completion {
  /** Outcomes that leave nothing behind but the lane, as those of all periodic runs that found nothing to do. */
  readonly #plain = new Gather((items: readonly Completed[]) => this.#finish(this.database, items));

  /** @param alone write each outcome by itself: for measuring what the gathering is worth */
  constructor(
    private readonly database: Database,
    private readonly write: OutcomeWriter,
    private readonly backoff: BackoffOptions = DEFAULT_BACKOFF,
    private readonly alone = false,
  ) {}

  /** All of the outcome, or nothing when the lane has a newer epoch. @throws FencedError in that case */
  async complete(claim: Claim, outcome: RunOutcome): Promise<CompleteResult> {
    const { status, summary, record, result } = outcome;
    if (result !== 'removed' && !status && !summary && !record) return this.#freeLane(claim, outcome);
    return this.database.transaction(async (tx) => {
      if (result === 'removed' || status) {
        const lock = result === 'removed' ? LOCK_OBJECT : KEEP_OBJECT;
        await tx.query(lock, [claim.kind, claim.namespace, claim.name]);
      }
      await assertFence(tx, claim.fence, 'UPDATE');
      await this.write(tx, claim, outcome);
      if (result === 'removed' && (await this.#drop(tx, claim))) return { fenced: false, again: false };
      return this.#finishOne(tx, claim, outcome);
    });
  }

  async #freeLane(claim: Claim, outcome: RunOutcome): Promise<CompleteResult> {
    if (this.alone) return this.#finishOne(this.database, claim, outcome);
    try {
      return await this.#plain.add({ claim, outcome });
    } catch (error) {
      if (error instanceof UnavailableError) throw error;
      // Another of the batch cannot be stored: what is wrong with one must not be the fault of all.
      return this.#finishOne(this.database, claim, outcome);
    }
  }

  async #drop(tx: Sql, claim: Claim): Promise<boolean> {
    const gone = await tx.query(DROP, [claim.fence.laneId, claim.fence.epoch]);
    return gone.length > 0;
  }

  async #finishOne(sql: Sql, claim: Claim, outcome: RunOutcome): Promise<CompleteResult> {
    const [result] = await this.#finish(sql, [{ claim, outcome }]);
    return result ?? FENCED;
  }

  /** One statement, so all of it or nothing; each lane is decided by itself. @returns in the order of the items */
  async #finish(sql: Sql, items: readonly Completed[]): Promise<CompleteResult[]> {
    const rows = await sql.query<FinishedRow>(FINISH, [
      JSON.stringify(items.toSorted(byLane).map(finishItem)),
      this.backoff.minMs,
      this.backoff.firstMs,
      this.backoff.maxMs,
    ]);
    const finished = new Map(rows.map((row) => [`${row.id} ${row.epoch}`, row]));
    return items.map(({ claim: { fence } }) => {
      const row = finished.get(`${fence.laneId} ${fence.epoch}`);
      return row ? { fenced: false, again: row.again } : FENCED;
    });
  }
}

/** The columns of FINISH. */
function finishItem({ claim, outcome }: Completed): object {
  return {
    lane: claim.fence.laneId,
    of_epoch: claim.fence.epoch,
    to_result: outcome.result,
    to_reason: outcome.reason.code,
    to_message: outcome.reason.message.slice(0, MAX_MESSAGE),
    hash: outcome.deploymentHash,
    next_ms: outcome.nextRunMs,
    retry_ms: outcome.retryAfterMs ?? 0,
  };
}

/** The order in which everybody locks lanes: that of their bytes, which for the names that are allowed is that of their text. */
function byLane({ claim: a }: Completed, { claim: b }: Completed): number {
  return compare(a.kind, b.kind) || compare(a.namespace, b.namespace) || compare(a.name, b.name);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
