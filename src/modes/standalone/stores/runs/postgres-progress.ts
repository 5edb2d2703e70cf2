import { SummaryState } from '@symphony/model';
import type { Claim } from '../../../../modules/queue/index.js';
import { ProgressStore, type Progress } from '../../../../modules/reconcile/index.js';
import type { Database } from '../../database/database.js';
import { assertFence } from '../jobs/fence.js';
import { WRITE_STATUS } from './outcome-writer.js';
import { SUMMARY_UPSERT } from './postgres-summaries.js';

export class PostgresProgress extends ProgressStore {
  constructor(private readonly database: Database) {
    super();
  }

  async write(claim: Claim, progress: Progress): Promise<void> {
    await this.database.transaction(async (tx) => {
      await assertFence(tx, claim.fence);
      const { namespace, kind, name } = claim;
      const { summaryKey, generation, summary, status } = progress;
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
