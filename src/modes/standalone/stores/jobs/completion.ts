import { beginningOf } from '@symphony/model';
import {
  DEFAULT_BACKOFF,
  hasRun,
  MAX_LANE_MESSAGE,
  type BackoffOptions,
  type Claim,
  type CompleteResult,
  type RunOutcome,
} from '../../../../modules/queue/index.js';
import type { Database, Sql, Statement } from '../../database/database.js';
import { assertFence } from './fence.js';
import { GatherOrAlone } from './gather.js';

/** What a run left behind, and for which claim. */
export interface Completed {
  claim: Claim;
  outcome: RunOutcome;
}

/** Writes status, summary and run record of an outcome, or removes the object, in the transaction that frees the lane. */
export type OutcomeWriter = (tx: Sql, claim: Claim, outcome: RunOutcome) => Promise<void>;

/** The same for many outcomes at once, none of which removes its object. */
type OutcomesWriter = (tx: Sql, completed: readonly Completed[]) => Promise<void>;

// The lane's row is locked before anything is decided from it. Two statements with opposite conditions (order_seq =
// claimed_seq, order_seq > claimed_seq) would both miss an order that commits between them: each looks at rows as they
// were when it began. Measured with graphile-like "done" statements: 3,000 of 4,000 orders lost until the lease ended.
// The new values are computed from the locked rows; the upsert always updates, and goes by the index whatever the planner
// believes (claims.ts).
const finish = (name: string, lock: string): Statement => ({
  name,
  text: `
  WITH cur AS MATERIALIZED (
    SELECT l.*, l.order_seq > l.claimed_seq AS again, i.to_result, i.to_reason, i.to_message, i.hash, i.next_ms, i.retry_ms,
           i.nothing, i.ran
    FROM jsonb_to_recordset($1::jsonb) AS i (lane bigint, of_epoch bigint, to_result text, to_reason text, to_message text,
                                             hash text, next_ms float8, retry_ms float8, nothing boolean,
                                             ran boolean)
    CROSS JOIN LATERAL (
      SELECT l.* FROM lanes l WHERE l.id = i.lane AND l.epoch = i.of_epoch AND l.worker IS NOT NULL ${lock}) AS l)
  INSERT INTO lanes AS l (id, kind, namespace, name, generation, deleting, order_seq,
                          result, reason, message, last_hash, done_seq, attempts, cause, actor, look_at, due_at)
  OVERRIDING SYSTEM VALUE
  SELECT c.id, c.kind, c.namespace, c.name, c.generation, c.deleting, c.order_seq, c.to_result, c.to_reason, c.to_message,
    CASE WHEN c.to_result = 'succeeded' THEN c.hash END,
    CASE WHEN c.ran THEN c.claimed_seq ELSE c.done_seq END,
    CASE WHEN c.again THEN 0 WHEN c.to_result = 'retry' THEN c.attempts + 1
         WHEN c.to_result = 'yielded' THEN c.attempts ELSE 0 END,
    CASE WHEN c.again OR c.to_result = 'yielded' THEN c.cause WHEN c.to_result IN ('retry', 'removed') THEN 2 ELSE 3 END,
    CASE WHEN c.again OR c.to_result = 'yielded' THEN c.actor END,
    CASE WHEN c.again OR c.to_result = 'yielded' THEN c.look_at END,
    CASE
      WHEN c.again THEN c.due_at
      WHEN c.to_result = 'yielded' THEN now()
      -- An object that was to go and is there all the same is looked at again.
      WHEN c.to_result IN ('retry', 'removed') THEN now() + interval '1 ms' * greatest(c.retry_ms, $2::float8,
        random() * least($4::float8, $3::float8 * 2 ^ least(c.attempts, 30)))
      -- A dependent's run that left nothing mostly looked at no target: it does not put off the run that does. Nulls count
      -- for nothing in least() and greatest().
      WHEN c.to_result IN ('succeeded', 'waiting') AND c.next_ms IS NOT NULL THEN least(
        now() + interval '1 ms' * c.next_ms * CASE WHEN c.done_seq = 0 THEN random() ELSE 0.9 + 0.2 * random() END,
        CASE WHEN c.cause = 1 AND c.nothing AND c.look_at IS NOT NULL THEN greatest(now(), c.look_at) END)
    END
  FROM cur AS c
  ON CONFLICT ON CONSTRAINT lanes_pk DO UPDATE SET
    worker = NULL, claimed_at = NULL, result = excluded.result, reason = excluded.reason, message = excluded.message,
    last_hash = excluded.last_hash, done_seq = excluded.done_seq, attempts = excluded.attempts, cause = excluded.cause,
    actor = excluded.actor, look_at = excluded.look_at, due_at = excluded.due_at
  RETURNING l.id, l.epoch, l.order_seq > l.claimed_seq AS again`,
});
const FINISH = finish('lane_finish', 'FOR UPDATE');
const FINISH_FREE = finish('lane_finish_free', 'FOR UPDATE SKIP LOCKED');

// Lanes that are still ours, with their objects, as far as nobody else has a lock on either at this moment.
const LOCK_FREE: Statement = {
  name: 'lane_lock_free',
  text: `
  SELECT l.id, l.epoch
  FROM jsonb_to_recordset($1::jsonb) AS i (lane bigint, of_epoch bigint, kind text, namespace text, name text)
  CROSS JOIN LATERAL (
    SELECT o.uid FROM objects o WHERE o.kind = i.kind AND o.namespace = i.namespace AND o.name = i.name
    FOR KEY SHARE SKIP LOCKED) AS o
  CROSS JOIN LATERAL (
    SELECT l.id, l.epoch FROM lanes l WHERE l.id = i.lane AND l.epoch = i.of_epoch AND l.worker IS NOT NULL
    FOR UPDATE SKIP LOCKED) AS l`,
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

interface FinishedRow {
  id: string;
  epoch: string;
  again: boolean;
}

const FENCED: CompleteResult = { fenced: true, again: false };

export interface CompletionOptions {
  backoff?: BackoffOptions;
  /** Without it, outcomes that leave more behind than their lane are written one by one. */
  writeMany?: OutcomesWriter;
  /** Write each outcome by itself: for measuring what the gathering is worth. */
  alone?: boolean;
}

/**
 * Frees lanes with what their runs leave behind. What ends in the same moment is written in one transaction. Such a batch
 * waits for no lock: what somebody else is busy with, or is not ours any more, or cannot be stored, is completed by itself
 * afterwards, so that none is held up or spoilt by another.
 */
export class Completion {
  readonly #plain = new GatherOrAlone<Completed, CompleteResult>({
    together: (items) => this.#finish(this.database, FINISH_FREE, items),
    alone: (item) => this.#alone(item),
  });
  readonly #full = new GatherOrAlone<Completed, CompleteResult>({
    together: (items) => this.#together(items),
    alone: (item) => this.#alone(item),
  });
  readonly #backoff: BackoffOptions;

  constructor(
    private readonly database: Database,
    private readonly write: OutcomeWriter,
    private readonly options: CompletionOptions = {},
  ) {
    this.#backoff = options.backoff ?? DEFAULT_BACKOFF;
  }

  /** All of the outcome, or nothing when the lane has a newer epoch. @throws FencedError in that case */
  async complete(claim: Claim, outcome: RunOutcome): Promise<CompleteResult> {
    const item = { claim, outcome };
    const gather = this.#gatherFor(item);
    return gather ? gather.add(item) : this.#alone(item);
  }

  #gatherFor({ claim, outcome }: Completed): GatherOrAlone<Completed, CompleteResult> | undefined {
    if (this.options.alone || outcome.result === 'removed') return undefined;
    if (isPlain(outcome)) return this.#plain;
    return this.options.writeMany && !claim.payload ? this.#full : undefined;
  }

  async #alone({ claim, outcome }: Completed): Promise<CompleteResult> {
    if (outcome.result !== 'removed' && isPlain(outcome))
      return this.#finishOne(this.database, claim, outcome);
    return this.database.transaction(async (tx) => {
      const removed = outcome.result === 'removed';
      if (removed || outcome.status) {
        await tx.query(removed ? LOCK_OBJECT : KEEP_OBJECT, [claim.kind, claim.namespace, claim.name]);
      }
      await assertFence(tx, claim.fence, 'UPDATE');
      await this.write(tx, claim, outcome);
      if (removed && (await this.#drop(tx, claim))) return { fenced: false, again: false };
      return this.#finishOne(tx, claim, outcome);
    });
  }

  /** @returns undefined for each that could not be locked at once, whatever the reason */
  #together(items: readonly Completed[]): Promise<(CompleteResult | undefined)[]> {
    return this.database.transaction(async (tx) => {
      const keys = items.map(({ claim: { fence, kind, namespace, name } }) => {
        return { lane: fence.laneId, of_epoch: fence.epoch, kind, namespace, name };
      });
      const rows = await tx.query<{ id: string; epoch: string }>(LOCK_FREE, [JSON.stringify(keys)]);
      const locked = new Set(rows.map((row) => `${row.id} ${row.epoch}`));
      const ours = items.filter(({ claim }) => locked.has(fenceText(claim)));
      if (ours.length > 0) await this.options.writeMany?.(tx, ours);
      const finished = await this.#finish(tx, FINISH, ours);
      const results = new Map(ours.map(({ claim }, i) => [fenceText(claim), finished[i]]));
      return items.map(({ claim }) => results.get(fenceText(claim)));
    });
  }

  async #drop(tx: Sql, claim: Claim): Promise<boolean> {
    const gone = await tx.query(DROP, [claim.fence.laneId, claim.fence.epoch]);
    return gone.length > 0;
  }

  async #finishOne(sql: Sql, claim: Claim, outcome: RunOutcome): Promise<CompleteResult> {
    const [result] = await this.#finish(sql, FINISH, [{ claim, outcome }]);
    return result ?? FENCED;
  }

  /** One statement, so all of it or nothing; each lane is decided by itself. @returns undefined for those not found */
  async #finish(
    sql: Sql,
    statement: Statement,
    items: readonly Completed[],
  ): Promise<(CompleteResult | undefined)[]> {
    const { minMs, firstMs, maxMs } = this.#backoff;
    const values = [JSON.stringify(items.map(finishItem)), minMs, firstMs, maxMs];
    const rows = items.length > 0 ? await sql.query<FinishedRow>(statement, values) : [];
    const finished = new Map(rows.map((row) => [`${row.id} ${row.epoch}`, row]));
    return items.map(({ claim }) => {
      const row = finished.get(fenceText(claim));
      return row && { fenced: false, again: row.again };
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
    to_message: beginningOf(outcome.reason.message, MAX_LANE_MESSAGE),
    hash: outcome.deploymentHash,
    next_ms: outcome.nextRunMs,
    retry_ms: outcome.retryAfterMs ?? 0,
    nothing: isPlain(outcome),
    ran: hasRun(claim, outcome),
  };
}

function fenceText({ fence }: Claim): string {
  return `${fence.laneId} ${fence.epoch}`;
}

/** It leaves nothing behind but the lane, as a periodic run that found nothing to do. */
function isPlain({ status, summary, record }: RunOutcome): boolean {
  return !status && !summary && !record;
}
