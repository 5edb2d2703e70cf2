import { InvalidInputError } from '@symphony/model';
import type { RunRecord } from '../../../../modules/queue/index.js';
import { RunHistory, type RunPage } from '../../../../modules/solution/index.js';
import type { Database } from '../../database/database.js';
import { PRUNE_GONE } from './prune-gone.js';

const COLUMNS = `id, object_uid, generation, cause, actor, epoch, started_at, ended_at, result, reason, message, steps, attempts`;

const LIST = {
  name: 'runs_list',
  text: `
  SELECT ${COLUMNS} FROM runs
  WHERE object_uid = $1 AND ($3::timestamptz IS NULL OR (started_at, id) < ($3, $4::uuid))
  ORDER BY started_at DESC, id DESC LIMIT $2`,
};

const GET = { name: 'runs_get', text: `SELECT ${COLUMNS} FROM runs WHERE object_uid = $1 AND id = $2` };

const PRUNE_BATCH = 5_000;

/** However short the history is: whoever waits for a removal, or asks how it ended, gets the answer. */
const KEEP_GONE_MS = 3_600_000;

const PRUNE_BY_AGE = {
  name: 'runs_prune_age',
  text: `DELETE FROM runs WHERE id IN (
    SELECT id FROM runs WHERE started_at < now() - $1 * interval '1 ms' ORDER BY started_at LIMIT ${PRUNE_BATCH})`,
};

// Housekeeping, once in a while and in batches; the index by object makes the ranking a walk, not a sort.
const PRUNE_BY_COUNT = {
  name: 'runs_prune_count',
  text: `DELETE FROM runs WHERE id IN (
    SELECT id FROM (SELECT id, row_number() OVER (PARTITION BY object_uid ORDER BY started_at DESC, id DESC) AS place FROM runs) ranked
    WHERE place > $1 LIMIT ${PRUNE_BATCH})`,
};

interface RunRow {
  id: string;
  object_uid: string;
  generation: string;
  cause: RunRecord['cause'];
  actor: string | null;
  epoch: string;
  started_at: Date;
  ended_at: Date;
  result: RunRecord['result'];
  reason: RunRecord['reason'];
  message: string;
  steps: unknown[];
  attempts: number;
}

export class PostgresRunHistory extends RunHistory {
  constructor(private readonly database: Database) {
    super();
  }

  async list(objectUid: string, limit: number, after?: string): Promise<RunPage> {
    const [at, id] = after === undefined ? [null, null] : cursorOf(after);
    const rows = await this.database.query<RunRow>(LIST, [objectUid, limit + 1, at, id]);
    const items = rows.slice(0, limit).map(recordOf);
    const last = items.at(-1);
    const more = rows.length > limit && last !== undefined;
    return more
      ? { items, next: Buffer.from(`${last.startedAt} ${last.id}`).toString('base64url') }
      : { items };
  }

  async get(objectUid: string, runId: string): Promise<RunRecord | undefined> {
    if (!UUID.test(runId)) return undefined;
    const [row] = await this.database.query<RunRow>(GET, [objectUid, runId]);
    return row ? recordOf(row) : undefined;
  }

  async prune(maxAgeMs: number, keep: number): Promise<number> {
    const counted = (sql: { text: string }): { text: string } => ({
      text: `WITH gone AS (${sql.text} RETURNING 1) SELECT count(*)::int AS count FROM gone`,
    });
    let total = 0;
    for (const [statement, value] of [
      [PRUNE_BY_AGE, maxAgeMs],
      [PRUNE_BY_COUNT, keep],
    ] as const) {
      for (let count = PRUNE_BATCH; count === PRUNE_BATCH;) {
        const [row] = await this.database.query<{ count: number }>(counted(statement), [value]);
        count = row?.count ?? 0;
        total += count;
      }
    }
    await this.#pruneGone(Math.max(maxAgeMs, KEEP_GONE_MS));
    return total;
  }

  async #pruneGone(ageMs: number): Promise<void> {
    for (const statement of PRUNE_GONE) {
      for (let count = PRUNE_BATCH; count === PRUNE_BATCH;) {
        count = (await this.database.query(statement, [ageMs, PRUNE_BATCH])).length;
      }
    }
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function cursorOf(token: string): [string, string] {
  const [at = '', id = ''] = Buffer.from(token, 'base64url').toString('utf8').split(' ');
  if (!UUID.test(id) || Number.isNaN(Date.parse(at))) {
    throw new InvalidInputError(
      'The continue token is not one that this list gave out; start again without it.',
      [{ path: 'continue', message: 'must be the value of X-Continue of the page before' }],
    );
  }
  return [at, id];
}

function recordOf(row: RunRow): RunRecord {
  return {
    id: row.id,
    objectUid: row.object_uid,
    generation: Number(row.generation),
    cause: row.cause,
    ...(row.actor === null ? {} : { actor: row.actor }),
    epoch: Number(row.epoch),
    startedAt: row.started_at.toISOString(),
    endedAt: row.ended_at.toISOString(),
    result: row.result,
    reason: row.reason,
    message: row.message,
    steps: row.steps,
    attempts: row.attempts,
  };
}
