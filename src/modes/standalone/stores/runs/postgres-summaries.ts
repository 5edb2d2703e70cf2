import { SummaryState, type SummaryResult, type SummarySpec } from '@symphony/model';
import { SummaryStore } from '../../../../modules/queue/index.js';
import type { Database } from '../../database/database.js';

/**
 * As `SummaryState.Done`, of what is gone: it stays for a while for whoever asks how the removal ended. A successor of the same
 * name writes its own state over it.
 */
export const STATE_OF_GONE = 3;

export const SUMMARY_UPSERT = {
  name: 'summary_upsert',
  text: `
  INSERT INTO summaries (namespace, key, generation, deployment_hash, state, summary)
  VALUES ($1, $2, $3, $4, $5, $6::jsonb)
  ON CONFLICT (namespace, key) DO UPDATE
    SET generation = excluded.generation, deployment_hash = excluded.deployment_hash, state = excluded.state,
        summary = excluded.summary, written_at = now()`,
};

const GET = {
  name: 'summary_get',
  text: `SELECT generation, deployment_hash, state, summary, written_at FROM summaries WHERE namespace = $1 AND key = $2`,
};

const SOFT_DELETE = {
  name: 'summary_soft_delete',
  text: `UPDATE summaries SET summary = jsonb_set(summary, '{removed}', 'true') WHERE namespace = $1 AND key = $2 RETURNING key`,
};

interface SummaryRow {
  generation: string;
  deployment_hash: string;
  state: number;
  summary: SummarySpec;
  written_at: Date;
}

export class PostgresSummaries extends SummaryStore {
  constructor(private readonly database: Database) {
    super();
  }

  async get(namespace: string, key: string): Promise<SummaryResult | undefined> {
    const [row] = await this.database.query<SummaryRow>(GET, [namespace, key]);
    if (!row) return undefined;
    return {
      summary: row.summary,
      summaryid: key,
      generation: row.generation,
      time: row.written_at.toISOString(),
      state: row.state === SummaryState.Running ? SummaryState.Running : SummaryState.Done,
      deploymentHash: row.deployment_hash,
    };
  }

  async softDelete(namespace: string, key: string): Promise<boolean> {
    const rows = await this.database.query(SOFT_DELETE, [namespace, key]);
    return rows.length > 0;
  }
}
