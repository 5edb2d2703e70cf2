import type { Claim, RunOutcome } from '../../../../modules/queue/index.js';
import { SummaryState } from '@symphony/model';
import type { Sql } from '../../database/database.js';
import { forgetPayload, type Completed } from '../jobs/index.js';
import { STATE_OF_GONE, SUMMARY_UPSERT } from './postgres-summaries.js';

export const WRITE_STATUS = {
  name: 'outcome_status',
  text: `
  INSERT INTO object_status (uid, engine)
  SELECT uid, $4::jsonb FROM objects WHERE kind = $1 AND namespace = $2 AND name = $3
  ON CONFLICT (uid) DO UPDATE SET engine = excluded.engine`,
};

const WRITE_RUN = {
  name: 'outcome_run',
  text: `
  INSERT INTO runs (id, object_uid, generation, cause, actor, epoch, started_at, ended_at, result, reason, message, steps, attempts)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12::jsonb, $13)
  ON CONFLICT (id) DO NOTHING`,
};

// Whatever a run says: nothing goes that the ledger still names, as its owner or as the place where something is.
const REMOVE_OBJECT = {
  name: 'outcome_remove_object',
  text: `
  WITH gone AS (
    DELETE FROM objects o WHERE kind = $1 AND namespace = $2 AND name = $3 AND deletion_timestamp IS NOT NULL
      AND NOT EXISTS (SELECT FROM ledger l WHERE l.owner_uid = o.uid::text)
      AND NOT EXISTS (SELECT FROM ledger l WHERE l.target_uid = o.uid::text)
    RETURNING uid
  )
  DELETE FROM target_health h USING gone WHERE h.target_uid = gone.uid::text`,
};

const STILL_DEPLOYED = {
  name: 'outcome_still_deployed',
  text: `SELECT FROM ledger WHERE owner_uid = $1 LIMIT 1`,
};

/** Writes what a run leaves behind, inside the transaction that completes its lane. */
export async function writeOutcome(tx: Sql, claim: Claim, outcome: RunOutcome): Promise<void> {
  const { status, summary, record } = outcome;
  const postedIsGone = await isPostedGone(tx, claim, outcome);
  if (postedIsGone) await forgetPayload(tx, claim.fence.laneId);
  if (summary) {
    await tx.query(SUMMARY_UPSERT, [
      claim.namespace,
      summary.key,
      summary.generation,
      summary.deploymentHash,
      postedIsGone || outcome.result === 'removed' ? STATE_OF_GONE : SummaryState.Done,
      JSON.stringify(summary.summary),
    ]);
  }
  if (record) {
    await tx.query(WRITE_RUN, [
      record.id,
      record.objectUid,
      record.generation,
      record.cause,
      record.actor ?? null,
      record.epoch,
      record.startedAt,
      record.endedAt,
      record.result,
      record.reason,
      record.message,
      JSON.stringify(record.steps),
      record.attempts,
    ]);
  }
  if (outcome.result === 'removed') {
    await tx.query(REMOVE_OBJECT, [claim.kind, claim.namespace, claim.name]);
  } else if (status) {
    await tx.query(WRITE_STATUS, [claim.kind, claim.namespace, claim.name, JSON.stringify(status)]);
  }
}

/** The removal of a posted deployment, which has no record, ends as any run; a dry one, or one of a single target, leaves it. */
async function isPostedGone(tx: Sql, claim: Claim, { result, record }: RunOutcome): Promise<boolean> {
  if (!claim.payload || claim.action !== 'delete' || result !== 'succeeded' || !record) return false;
  const left = await tx.query(STILL_DEPLOYED, [record.objectUid]);
  return left.length === 0;
}

const WRITE_SUMMARIES = {
  name: 'outcome_summaries',
  text: `
  INSERT INTO summaries (namespace, key, generation, deployment_hash, state, summary)
  SELECT i.namespace, i.key, i.generation, i.hash, $2::smallint, i.summary
  FROM jsonb_to_recordset($1::jsonb) AS i (namespace text, key text, generation text, hash text, summary jsonb)
  ON CONFLICT (namespace, key) DO UPDATE
    SET generation = excluded.generation, deployment_hash = excluded.deployment_hash, state = excluded.state,
        summary = excluded.summary, written_at = now()`,
};

const WRITE_RUNS = {
  name: 'outcome_runs',
  text: `
  INSERT INTO runs (id, object_uid, generation, cause, actor, epoch, started_at, ended_at, result, reason, message, steps, attempts)
  SELECT i.id, i."objectUid", i.generation, i.cause, i.actor, i.epoch, i."startedAt", i."endedAt", i.result, i.reason,
         i.message, i.steps, i.attempts
  FROM jsonb_to_recordset($1::jsonb) AS i (
    id uuid, "objectUid" text, generation bigint, cause text, actor text, epoch bigint, "startedAt" timestamptz,
    "endedAt" timestamptz, result text, reason text, message text, steps jsonb, attempts int)
  ON CONFLICT (id) DO NOTHING`,
};

// The look-up is a sub-select so that each is found by the index, whatever the planner believes of the tables.
const WRITE_STATUSES = {
  name: 'outcome_statuses',
  text: `
  INSERT INTO object_status (uid, engine)
  SELECT o.uid, i.status
  FROM jsonb_to_recordset($1::jsonb) AS i (kind text, namespace text, name text, status jsonb)
  CROSS JOIN LATERAL (
    SELECT uid FROM objects WHERE kind = i.kind AND namespace = i.namespace AND name = i.name LIMIT 1) AS o
  ON CONFLICT (uid) DO UPDATE SET engine = excluded.engine`,
};

/** Writes what many runs leave behind, none of which removes its object, by one statement a table. */
export async function writeOutcomes(tx: Sql, completed: readonly Completed[]): Promise<void> {
  const summaries = completed.flatMap(({ claim: { namespace }, outcome: { summary } }) => {
    if (!summary) return [];
    const { key, generation, deploymentHash: hash } = summary;
    return [{ namespace, key, generation, hash, summary: summary.summary }];
  });
  if (summaries.length > 0) await tx.query(WRITE_SUMMARIES, [JSON.stringify(summaries), SummaryState.Done]);
  const records = completed.flatMap(({ outcome: { record } }) => record ?? []);
  if (records.length > 0) await tx.query(WRITE_RUNS, [JSON.stringify(records)]);
  const statuses = completed.flatMap(({ claim: { kind, namespace, name }, outcome: { status } }) =>
    status ? [{ kind, namespace, name, status }] : [],
  );
  if (statuses.length > 0) await tx.query(WRITE_STATUSES, [JSON.stringify(statuses)]);
}
