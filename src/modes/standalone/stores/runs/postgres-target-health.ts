import type { Reason } from '@symphony/model';
import type { JobWaker } from '../../../../modules/queue/index.js';
import { TargetHealth } from '../../../../modules/solution/index.js';
import type { Database } from '../../database/database.js';
import { orderWaiting, waitingOrder } from '../jobs/index.js';

export interface TargetHealthOptions {
  /** A target that does not answer is left alone from the first time; one that cannot be read, from this many on. */
  readFailures: number;
  /** Milliseconds until the first probe; doubles up to `maxMs`. */
  firstMs: number;
  maxMs: number;
  /** The same for a target that was only suspected, because its calls were cut short. */
  maxSuspectedMs: number;
  /** Calls that were cut short may be without an answer for so long, one after the other. */
  bearableSilenceMs: number;
}

const DEFAULTS: TargetHealthOptions = {
  readFailures: 3,
  firstMs: 2_000,
  maxMs: 300_000,
  maxSuspectedMs: 10_000,
  bearableSilenceMs: 1_900,
};

// Calls that were under way when the breaker opened tell nothing new when they fail too: a hundred runs that meet one outage
// must not count as a hundred outages. Only the probe does. Whatever it failed of, a breaker that was open stays open: it was
// opened for a target that did not answer at all, and a probe that it answers with an error has not shown it to be well.
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
          WHEN h.open_until IS NOT NULL OR h.failures + 1 >= $4
            THEN now() + least($6, $5 * 2 ^ greatest(0, least(h.failures + 1 - $4, 20))) * interval '1 ms' END
  RETURNING (extract(epoch FROM open_until - now()) * 1000)::float8 AS retry_ms`,
};

// $4: how long this call was silent, $5: how long all may be.
const SUSPECTED = {
  name: 'health_suspected',
  text: `
  INSERT INTO target_health AS h (target_uid, failures, open_until, reason, message, silent_ms)
  VALUES ($1, 0, CASE WHEN $4::float8 >= $5 THEN now() + $6 * interval '1 ms' END, $2, $3, $4)
  ON CONFLICT (target_uid) DO UPDATE
    SET reason = excluded.reason, message = excluded.message, updated_at = now(), probing = false,
        silent_ms = CASE WHEN h.open_until > now() AND NOT h.probing THEN h.silent_ms ELSE h.silent_ms + $4 END,
        failures = CASE WHEN h.probing THEN h.failures + 1 ELSE h.failures END,
        open_until = CASE
          WHEN h.open_until > now() AND NOT h.probing THEN h.open_until
          WHEN h.open_until IS NOT NULL OR h.silent_ms + $4 >= $5
            THEN now() + least($7, $6 * 2 ^ least(h.failures, 20)) * interval '1 ms' END
  RETURNING (extract(epoch FROM open_until - now()) * 1000)::float8 AS retry_ms`,
};

const RECOVERED = {
  name: 'health_recovered',
  text: `DELETE FROM target_health WHERE target_uid = $1 RETURNING open_until IS NOT NULL AS was_open`,
};

// Whoever waits for the target is found page by page, by the expander of fan-outs.
const WAKE_WAITING = {
  name: 'health_wake_waiting',
  text: `
  INSERT INTO fan_outs (kind, namespace, name, uid, properties, only_waiting)
  SELECT 'Target', namespace, name, uid, jsonb_build_array(coalesce(spec->'properties', '{}')), true
  FROM objects WHERE kind = 'Target' AND uid::text = $1
  RETURNING namespace, name`,
};

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
    private readonly waker?: Pick<JobWaker, 'wake'>,
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

  override async suspected(targetUid: string, reason: Reason, silentMs: number): Promise<number | undefined> {
    const { firstMs, maxSuspectedMs, bearableSilenceMs } = this.#options;
    const rows = await this.database.query<{ retry_ms: number | null }>(SUSPECTED, [
      targetUid,
      reason.code,
      reason.message.slice(0, 2_000),
      silentMs,
      bearableSilenceMs,
      firstMs,
      maxSuspectedMs,
    ]);
    return rows[0]?.retry_ms ?? undefined;
  }

  async recovered(targetUid: string): Promise<void> {
    const woken = await this.database.transaction(async (tx) => {
      const [row] = await tx.query<{ was_open: boolean }>(RECOVERED, [targetUid]);
      if (!row?.was_open) return [];
      const targets = await tx.query<{ namespace: string; name: string }>(WAKE_WAITING, [targetUid]);
      // Its own components wait on a lane of their own.
      const orders = targets.map(({ namespace, name }) => waitingOrder('Target', namespace, name));
      await orderWaiting(tx, orders);
      return orders;
    });
    if (woken.length > 0) this.waker?.wake({ lanes: [], fanOuts: true });
  }

  async takeProbe(targetUid: string): Promise<boolean> {
    const rows = await this.database.query(TAKE_PROBE, [targetUid, PROBE_SHARE_MS]);
    return rows.length > 0;
  }
}
