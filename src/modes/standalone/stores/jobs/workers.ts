import { reason } from '@symphony/model';
import {
  DEFAULT_BACKOFF,
  LeaseLostError,
  type BackoffOptions,
  type Fence,
  type Heartbeat,
} from '../../../../modules/queue/index.js';
import type { Database, Sql, Statement } from '../../database/database.js';

const REGISTER: Statement = {
  name: 'worker_register',
  text: `
  INSERT INTO workers (id, lease_until, shares)
  VALUES ($1, now() + $2 * interval '1 ms', EXISTS (SELECT FROM workers))
  RETURNING shares`,
};

// Two that register at once must not both believe to be alone.
const LOCK: Statement = {
  name: 'worker_lock_table',
  text: `LOCK TABLE workers IN SHARE ROW EXCLUSIVE MODE`,
};

const RENEW: Statement = {
  name: 'worker_renew',
  text: `
  UPDATE workers SET lease_until = now() + $2 * interval '1 ms' WHERE id = $1 AND lease_until > now()
  RETURNING NOT EXISTS (SELECT FROM workers o WHERE o.id <> $1) AS alone`,
};

const HELD: Statement = {
  name: 'worker_held',
  text: `SELECT l.id, l.epoch, l.order_seq > l.claimed_seq AS superseded FROM lanes l WHERE l.worker = $1`,
};

// Deleting the row waits for a claim under way (claims.ts holds it FOR KEY SHARE). The lanes are freed by a second
// statement, because the first does not see what was committed after it began.
const BURY: Statement = {
  name: 'worker_bury',
  text: `
  DELETE FROM workers WHERE id IN (
    SELECT id FROM workers WHERE lease_until < now() - $1 * interval '1 ms' ORDER BY id FOR UPDATE SKIP LOCKED)
  RETURNING id`,
};
const DEAD: Statement = {
  name: 'worker_dead',
  text: `SELECT id FROM workers WHERE lease_until < now() - $1 * interval '1 ms' LIMIT 1`,
};
const BURY_OTHERS: Statement = {
  name: 'worker_bury_others',
  text: `DELETE FROM workers WHERE id <> $1 RETURNING id`,
};
const BURY_ONE: Statement = {
  name: 'worker_bury_one',
  text: `DELETE FROM workers WHERE id = $1 RETURNING id`,
};

// What the lane ran is due again at once, with the cause that it had; the next claim gets a new epoch. What was reached before
// is not known to hold any more, because nobody knows how far the run came: no later run may be skipped because of it.
const FREE: Statement = {
  name: 'worker_free_lanes',
  text: `
  WITH held AS MATERIALIZED (
    SELECT l.id FROM lanes l WHERE l.worker = ANY ($1::text[])
    ORDER BY l.kind, l.namespace, l.name FOR UPDATE)
  UPDATE lanes AS l SET worker = NULL, claimed_at = NULL, due_at = now(), last_hash = NULL
  WHERE l.id = ANY (ARRAY(SELECT id FROM held))
  RETURNING l.id`,
};

// The same for a worker that vanished, maybe because of one of these lanes. Once is nobody's fault, and is made good at
// once. A lane that was at work again when its worker vanished again waits longer each time: else it would end one process
// after the other, with all that they do for others, as quickly as they are started. What else was at work then gets its
// turn meanwhile, and its next outcome clears it.
const TAKE: Statement = {
  name: 'worker_take_lanes',
  text: `
  WITH held AS MATERIALIZED (
    SELECT l.id FROM lanes l WHERE l.worker = ANY ($1::text[])
    ORDER BY l.kind, l.namespace, l.name FOR UPDATE)
  UPDATE lanes AS l SET
    worker = NULL, claimed_at = NULL, last_hash = NULL, attempts = l.attempts + 1, reason = $2, message = $3,
    due_at = now() + CASE WHEN l.reason = $2 AND l.due_at IS NULL
      THEN interval '1 ms' * greatest($4::float8, random() * least($6::float8, $5::float8 * 2 ^ least(l.attempts, 30)))
      ELSE interval '0' END
  WHERE l.id = ANY (ARRAY(SELECT id FROM held))
  RETURNING l.id`,
};

const RELEASE: Statement = {
  name: 'worker_release',
  text: `
  WITH held AS MATERIALIZED (
    SELECT l.id FROM lanes l JOIN unnest($2::bigint[], $3::bigint[]) AS f (id, epoch) ON l.id = f.id AND l.epoch = f.epoch
    WHERE l.worker = $1
    ORDER BY l.kind, l.namespace, l.name FOR UPDATE OF l)
  UPDATE lanes AS l SET worker = NULL, claimed_at = NULL, due_at = now(), last_hash = NULL
  WHERE l.id = ANY (ARRAY(SELECT id FROM held))`,
};

interface HeldRow {
  id: string;
  epoch: string;
  superseded: boolean;
}

function fenceOf(row: HeldRow): Fence {
  return { laneId: row.id, epoch: Number(row.epoch) };
}

/** Is told who this process is among the workers. Must not throw. */
export interface WorkerObserver {
  /** From now on this process is that worker. `alone`: there is no other one, and none begins to call targets unasked. */
  registered(worker: string, alone: boolean): void;
  /** `alone`: there was no other worker at that moment. */
  renewed(worker: string, alone: boolean): void;
}

/** The workers' leases. */
export class Workers {
  constructor(
    private readonly database: Database,
    private readonly observer?: WorkerObserver,
    private readonly backoff: BackoffOptions = DEFAULT_BACKOFF,
  ) {}

  async register(worker: string, leaseMs: number): Promise<void> {
    const [row] = await this.database.transaction(async (tx) => {
      await tx.query(LOCK);
      return tx.query<{ shares: boolean }>(REGISTER, [worker, leaseMs]);
    });
    this.observer?.registered(worker, row?.shares === false);
  }

  async heartbeat(worker: string, leaseMs: number): Promise<Heartbeat> {
    const [renewed] = await this.database.query<{ alone: boolean }>(RENEW, [worker, leaseMs]);
    if (!renewed) throw new LeaseLostError();
    this.observer?.renewed(worker, renewed.alone);
    const rows = await this.database.query<HeldRow>(HELD, [worker]);
    return { held: rows.map(fenceOf), superseded: rows.filter((row) => row.superseded).map(fenceOf) };
  }

  async release(worker: string, fences: readonly Fence[]): Promise<void> {
    await this.database.query(RELEASE, [worker, fences.map((f) => f.laneId), fences.map((f) => f.epoch)]);
  }

  /** @returns how many lanes were freed */
  async takeOver(graceMs: number, before?: () => Promise<void>): Promise<number> {
    const dead = await this.database.query(DEAD, [graceMs]);
    if (dead.length === 0) return 0;
    await before?.();
    return this.#bury((tx) => tx.query<{ id: string }>(BURY, [graceMs]), TAKE, this.#interrupted());
  }

  retireOthers(worker: string): Promise<number> {
    const bury = (tx: Sql) => tx.query<{ id: string }>(BURY_OTHERS, [worker]);
    return this.#bury(bury, TAKE, this.#interrupted());
  }

  retire(worker: string): Promise<number> {
    return this.#bury((tx) => tx.query<{ id: string }>(BURY_ONE, [worker]), FREE, []);
  }

  /** The parameters of TAKE behind the first. */
  #interrupted(): unknown[] {
    const { code, message } = reason('Interrupted');
    return [code, message, this.backoff.minMs, this.backoff.firstMs, this.backoff.maxMs];
  }

  #bury(
    bury: (tx: Sql) => Promise<{ id: string }[]>,
    free: Statement,
    values: readonly unknown[],
  ): Promise<number> {
    return this.database.transaction(async (tx) => {
      const buried = await bury(tx);
      if (buried.length === 0) return 0;
      const freed = await tx.query(free, [buried.map((worker) => worker.id), ...values]);
      return freed.length;
    });
  }
}
