import type { Claim, RunOutcome } from '../../../../modules/queue/index.js';
import { SummaryState } from '@symphony/model';
import type { Sql } from '../../database/database.js';
import { SUMMARY_UPSERT } from './postgres-summaries.js';

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

/** Writes what a run leaves behind, inside the transaction that completes its lane. */
export async function writeOutcome(tx: Sql, claim: Claim, outcome: RunOutcome): Promise<void> {
  const { status, summary, record } = outcome;
  if (summary) {
    await tx.query(SUMMARY_UPSERT, [
      claim.namespace,
      summary.key,
      summary.generation,
      summary.deploymentHash,
      SummaryState.Done,
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
