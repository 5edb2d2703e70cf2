import type { Reason } from '@symphony/model';
import { TargetHealth } from '../../../../modules/solution/index.js';
import type { Database } from '../../database/database.js';

export interface TargetHealthOptions {
  /** A target that does not answer is left alone from the first time; one that cannot be read, from this many on. */
  readFailures: number;
  /** Milliseconds until the first probe; doubles up to `maxMs`. */
  firstMs: number;
  maxMs: number;
}

const DEFAULTS: TargetHealthOptions = { readFailures: 3, firstMs: 2_000, maxMs: 300_000 };

// Calls that were under way when the breaker opened tell nothing new when they fail too: a hundred runs that meet one outage
// must not count as a hundred outages. Only the probe does.
const FAILED = {
  name: 'health_failed',
  text: `
  INSERT INTO target_health AS h (target_uid, failures, open_until, reason, message)
  VALUES ($1, 1, CASE WHEN $4 <= 1 THEN now() + $5 * interval '1 ms' END, $2, $3)
  ON CONFLICT (target_uid) DO UPDATE
    SET reason = excluded.reason, message = excluded.message, updated_at = now(), probing = false,
        failures = CASE WHEN h.open_until > now() AND NOT h.probing THEN h.failures ELSE h.failures + 1 END,
        open_until = CASE
          WHEN h.open_until > now() AND NOT h.probing THEN h.open_until
          WHEN h.failures + 1 >= $4
            THEN now() + least($6, $5 * 2 ^ least(h.failures + 1 - $4, 20)) * interval '1 ms' END
  RETURNING (extract(epoch FROM open_until - now()) * 1000)::float8 AS retry_ms`,
};

const RECOVERED = { name: 'health_recovered', text: `DELETE FROM target_health WHERE target_uid = $1` };

// Whoever moves open_until on has the probe; if that run dies, the next probe is due a little later all the same.
const TAKE_PROBE = {
  name: 'health_take_probe',
  text: `
  UPDATE target_health SET open_until = now() + $2 * interval '1 ms', updated_at = now(), probing = true
  WHERE target_uid = $1 AND (open_until IS NULL OR open_until <= now())
  RETURNING target_uid`,
};

const PROBE_SHARE_MS = 30_000;

export class PostgresTargetHealth extends TargetHealth {
  readonly #options: TargetHealthOptions;

  constructor(
    private readonly database: Database,
    options: Partial<TargetHealthOptions> = {},
  ) {
    super();
    this.#options = { ...DEFAULTS, ...options };
  }

  async failed(targetUid: string, reason: Reason): Promise<number | undefined> {
    const threshold = reason.code === 'ProviderTimeout' ? 1 : this.#options.readFailures;
    const rows = await this.database.query<{ retry_ms: number | null }>(FAILED, [
      targetUid,
      reason.code,
      reason.message.slice(0, 2_000),
      threshold,
      this.#options.firstMs,
      this.#options.maxMs,
    ]);
    return rows[0]?.retry_ms ?? undefined;
  }

  async recovered(targetUid: string): Promise<void> {
    await this.database.query(RECOVERED, [targetUid]);
  }

  async takeProbe(targetUid: string): Promise<boolean> {
    const rows = await this.database.query(TAKE_PROBE, [targetUid, PROBE_SHARE_MS]);
    return rows.length > 0;
  }
}
