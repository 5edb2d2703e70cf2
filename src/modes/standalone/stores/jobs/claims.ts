import {
  causesFrom,
  CAUSES,
  startOfClaim,
  type Claim,
  type ClaimRequest,
} from '../../../../modules/queue/index.js';
import type { Database, Statement } from '../../database/database.js';
import { inlinePayloads } from './inline-payloads.js';

const PERIODIC = CAUSES.indexOf('periodic');
const FAIR_CAUSES = CAUSES.map((_, index) => index).filter((index) => index !== PERIODIC);

/** The condition of the partial indexes, word for word: without it they cannot serve. */
export const READY = `l.worker IS NULL AND l.due_at IS NOT NULL AND NOT l.suspended`;

/** Namespaces that one claim looks at per cause; what lies beyond is found by the oldest-first claim. */
const NAMESPACES_PER_CLAIM = 256;

const RETURNING = `
  RETURNING l.id, l.kind, l.namespace, l.name, l.inline, l.epoch, l.order_seq, l.generation, l.deleting, l.cause,
            l.actor, l.attempts, l.last_hash, l.ordered_at, l.claimed_at`;

/** FOR KEY SHARE: whoever declares this worker dead waits for the claim, and sees its lanes. */
const ME = `me AS MATERIALIZED (SELECT id FROM workers WHERE id = $1 AND lease_until > now() FOR KEY SHARE)`;

/** What an insert needs at least; see TAKE. */
const PICKED = ['id', 'kind', 'namespace', 'name', 'generation', 'deleting', 'cause', 'order_seq'];
const picked = (table: string): string => PICKED.map((column) => `${table}.${column}`).join(', ');

// An upsert that always updates: the rows are there and locked. It goes by the index whatever the planner believes. An
// UPDATE ... WHERE id = ANY (ARRAY(...)) or a join, once prepared while the table was empty, keeps its plan, a scan of the
// whole table: 100,000 fresh rows were read for each claim until ANALYZE. Planning anew each time costs 1.5 ms a claim.
const TAKE = `
  INSERT INTO lanes AS l (${PICKED.join(', ')}) OVERRIDING SYSTEM VALUE
  SELECT ${picked('p')} FROM picked AS p
  ON CONFLICT ON CONSTRAINT lanes_pk DO UPDATE SET
    worker = $1, epoch = l.epoch + 1, claimed_seq = l.order_seq, claimed_at = now(), due_at = NULL`;

/** The oldest first, whatever the namespace. */
function oldest(cause: number): string {
  return `
    SELECT ${picked('o')} FROM (
      SELECT ${picked('l')} FROM lanes l
      WHERE l.cause = ${cause} AND ${READY} AND l.due_at <= now()${cause === PERIODIC ? ' AND $3::boolean' : ''}
      ORDER BY l.due_at LIMIT $2 FOR UPDATE SKIP LOCKED) AS o`;
}

/** An equal share of the batch for each of the next namespaces that have something due. */
function fair(cause: number): string {
  return `
    SELECT ${picked('f')} FROM next_${cause} AS n CROSS JOIN LATERAL (
      SELECT ${picked('l')} FROM lanes l
      WHERE l.cause = ${cause} AND ${READY} AND l.namespace = n.namespace AND l.due_at <= now()
      ORDER BY l.due_at
      LIMIT (SELECT ceil($2::float8 / greatest(1, max(found))) FROM next_${cause})
      FOR UPDATE SKIP LOCKED) AS f
    WHERE n.due`;
}

/**
 * One cause after the other; UNION ALL is evaluated in order and only as far as LIMIT asks. A less urgent one gets its
 * turn here only when nothing of those before is due; what the shares leave free is filled by the claim of the oldest,
 * which begins with the most urgent again.
 */
function fairArms(start: number): string[] {
  const causes = causesFrom(start);
  return causes.map((cause, i) => {
    const nothingBefore = causes
      .slice(0, i)
      .filter((before) => before !== PERIODIC)
      .map((before) => `NOT EXISTS (SELECT FROM next_${before} WHERE due)`)
      .join(' AND ');
    if (cause === PERIODIC) return `${oldest(cause)}${nothingBefore && ` WHERE ${nothingBefore}`}`;
    return `${fair(cause)}${nothingBefore && ` AND ${nothingBefore}`}`;
  });
}

// Skips from namespace to namespace along the index, one probe each, which also tells the earliest due time: first those
// after the cursor, then once around to the cursor. Less urgent causes must not come before the round is complete.
function nextNamespaces(cause: number): string {
  const cursor = `$${4 + cause}`;
  const probe = (after: string, wrapped: string, when = 'true') => `
      (SELECT l.namespace, l.due_at <= now() AS due, ${wrapped} AS wrapped FROM lanes l
       WHERE l.cause = ${cause} AND ${READY} AND l.namespace > ${after} AND ${when}
       ORDER BY l.namespace, l.due_at LIMIT 1)`;
  return `next_${cause} (namespace, due, wrapped, found, steps) AS (
    SELECT p.namespace, p.due, p.wrapped, p.due::int, 1
    FROM (${probe(cursor, 'false')} UNION ALL ${probe("''", 'true')} LIMIT 1) AS p
    WHERE NOT p.wrapped OR p.namespace <= ${cursor}
    UNION ALL
    SELECT p.namespace, p.due, p.wrapped, n.found + p.due::int, n.steps + 1
    FROM next_${cause} AS n CROSS JOIN LATERAL (
      ${probe('n.namespace', 'n.wrapped')} UNION ALL ${probe("''", 'true', 'NOT n.wrapped')} LIMIT 1) AS p
    WHERE n.found < $2 AND n.steps < ${NAMESPACES_PER_CLAIM} AND (NOT p.wrapped OR p.namespace <= ${cursor}))`;
}

function claimStatement(name: string, ctes: string[], arms: string[]): Statement {
  return {
    name,
    text: `
  WITH RECURSIVE ${[ME, ...ctes].join(',\n  ')},
  picked AS MATERIALIZED (
    SELECT ${picked('p')} FROM me CROSS JOIN LATERAL (${arms.join('\n    UNION ALL')}) AS p LIMIT $2)
  ${TAKE}${RETURNING}`,
  };
}

/** By the cause that they begin with. $4, $5, $6: the namespace after which each cause goes on. */
const FAIR: readonly Statement[] = CAUSES.map((_, start) =>
  claimStatement(`lane_claim_fair_${start}`, FAIR_CAUSES.map(nextNamespaces), fairArms(start)),
);
const OLDEST: readonly Statement[] = CAUSES.map((_, start) =>
  claimStatement(`lane_claim_oldest_${start}`, [], causesFrom(start).map(oldest)),
);

/** The statements, for the test that looks at their plans. */
export const CLAIM_STATEMENTS = { fair: FAIR, oldest: OLDEST };

interface ClaimRow {
  id: string;
  kind: 'Target' | 'Instance';
  namespace: string;
  name: string;
  inline: boolean;
  epoch: string;
  order_seq: string;
  generation: string;
  deleting: boolean;
  cause: number;
  actor: string | null;
  attempts: number;
  last_hash: string | null;
  ordered_at: Date;
  claimed_at: Date;
}

/**
 * Takes due lanes for a worker: the most urgent cause first, inside a cause round robin over the namespaces. The turn is
 * this process's own; several replicas are fair each by itself.
 */
export class LaneClaims {
  readonly #cursors = CAUSES.map(() => '');
  #turn = 0;

  constructor(private readonly database: Database) {}

  async claim({ worker, limit, periodic }: ClaimRequest): Promise<Claim[]> {
    const start = startOfClaim(this.#turn++);
    const rows = await this.#take(FAIR[start], [
      worker,
      limit,
      periodic,
      ...FAIR_CAUSES.map((cause) => this.#cursors[cause]),
    ]);
    this.#advance(rows);
    if (rows.length < limit) {
      // Namespaces that ran dry left part of their share, or there are more than one claim looks at: the rest goes by age.
      rows.push(...(await this.#take(OLDEST[start], [worker, limit - rows.length, periodic])));
    }
    return this.#claimsOf(rows);
  }

  async #take(statement: Statement | undefined, values: unknown[]): Promise<ClaimRow[]> {
    return statement ? this.database.query<ClaimRow>(statement, values) : [];
  }

  /** The round goes on after the last namespace that was served; what lies before the cursor came after the turn. */
  #advance(rows: readonly ClaimRow[]): void {
    for (const cause of FAIR_CAUSES) {
      const cursor = this.#cursors[cause] ?? '';
      const served = rows.filter((row) => row.cause === cause).map((row) => row.namespace);
      const wrapped = served.filter((namespace) => namespace <= cursor);
      const last = (wrapped.length > 0 ? wrapped : served).reduce((a, b) => (a > b ? a : b), '');
      if (last !== '') this.#cursors[cause] = last;
    }
  }

  async #claimsOf(rows: readonly ClaimRow[]): Promise<Claim[]> {
    const payloads = await inlinePayloads(
      this.database,
      rows.filter((row) => row.inline).map((row) => row.id),
    );
    return rows.map((row) => ({
      kind: row.kind,
      namespace: row.namespace,
      name: row.name,
      fence: { laneId: row.id, epoch: Number(row.epoch) },
      seq: row.order_seq,
      generation: Number(row.generation),
      action: row.deleting ? 'delete' : 'update',
      cause: CAUSES[row.cause] ?? 'periodic',
      actor: row.actor ?? undefined,
      attempts: row.attempts,
      lastHash: row.last_hash ?? undefined,
      payload: payloads.get(row.id),
      orderedAt: row.ordered_at.toISOString(),
      claimedAt: row.claimed_at.toISOString(),
    }));
  }
}
