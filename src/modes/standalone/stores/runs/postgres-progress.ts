import { SummaryState } from '@symphony/model';
import type { Claim } from '../../../../modules/queue/index.js';
import { ProgressStore, type Progress } from '../../../../modules/reconcile/index.js';
import type { Database } from '../../database/database.js';
import { assertFence } from '../jobs/fence.js';
import { WRITE_STATUS } from './outcome-writer.js';
import { SUMMARY_UPSERT } from './postgres-summaries.js';

// An object's row is locked before its lane, by everybody; the status refers to it and would lock it afterwards.
const KEEP_OBJECT = {
  name: 'progress_keep_object',
  text: `SELECT 1 AS kept FROM objects WHERE kind = $1 AND namespace = $2 AND name = $3 FOR KEY SHARE`,
};

export class PostgresProgress extends ProgressStore {
  constructor(private readonly database: Database) {
    super();
  }

  async write(claim: Claim, progress: Progress): Promise<void> {
    const { namespace, kind, name } = claim;
    const { summaryKey, generation, summary, status } = progress;
    await this.database.transaction(async (tx) => {
      if (status) await tx.query(KEEP_OBJECT, [kind, namespace, name]);
      await assertFence(tx, claim.fence);
      await tx.query(SUMMARY_UPSERT, [
        namespace,
        summaryKey,
        generation,
        '',
        SummaryState.Running,
        JSON.stringify(summary),
      ]);
      if (status) await tx.query(WRITE_STATUS, [kind, namespace, name, JSON.stringify(status)]);
    });
  }
}
