import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What must hold for a lane to be claimable; a partial index serves a query only when the query says exactly this. */
const READY = `worker IS NULL AND due_at IS NOT NULL AND NOT suspended`;

const UP = [
  // One row per engine process. The lease is here and not on the lanes: renewing it is one UPDATE, however many it holds.
  `CREATE TABLE workers (
    id text COLLATE "C" NOT NULL CONSTRAINT workers_pk PRIMARY KEY,
    lease_until timestamptz NOT NULL,
    registered_at timestamptz NOT NULL DEFAULT now()
  ) WITH (fillfactor = 50)`,

  // Orders are numbered over all lanes, so that a lane that was removed and made again never reuses a number.
  `CREATE SEQUENCE lane_order_seq AS bigint`,

  // No JSON here: these rows are rewritten on each order, claim and completion, and the indexes must stay in memory.
  `CREATE TABLE lanes (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT lanes_pk PRIMARY KEY,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('Target', 'Instance')),
    namespace text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    inline boolean NOT NULL DEFAULT false,
    suspended boolean NOT NULL DEFAULT false,
    generation bigint NOT NULL,
    deleting boolean NOT NULL,
    cause smallint NOT NULL CHECK (cause BETWEEN 0 AND 3),
    actor text,
    order_seq bigint NOT NULL,
    claimed_seq bigint NOT NULL DEFAULT 0,
    done_seq bigint NOT NULL DEFAULT 0,
    due_at timestamptz,
    ordered_at timestamptz NOT NULL DEFAULT now(),
    worker text COLLATE "C",
    epoch bigint NOT NULL DEFAULT 0,
    claimed_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    result text,
    reason text,
    message text,
    last_hash text,
    CONSTRAINT lanes_key UNIQUE (kind, namespace, name)
  ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.05)`,
  `COMMENT ON COLUMN lanes.cause IS '0 person, 1 dependent, 2 retry, 3 periodic: of the waiting order, else of the running one'`,
  `COMMENT ON COLUMN lanes.due_at IS 'when the waiting order is due; null: nothing waits (a claim sets it to null)'`,
  `COMMENT ON COLUMN lanes.order_seq IS 'number of the newest order; claimed_seq: the newest that a claim covered; done_seq: that has run'`,
  // Round robin over namespaces inside a cause.
  `CREATE INDEX lanes_ready_by_namespace ON lanes (cause, namespace, due_at) WHERE ${READY}`,
  // The oldest first, and the next due time.
  `CREATE INDEX lanes_ready_by_due ON lanes (cause, due_at) WHERE ${READY}`,
  // What a worker holds.
  `CREATE INDEX lanes_by_worker ON lanes (worker) WHERE worker IS NOT NULL`,

  // Posted deployments: the newest of a lane.
  `CREATE TABLE lane_payloads (
    lane_id bigint NOT NULL CONSTRAINT lane_payloads_pk PRIMARY KEY REFERENCES lanes (id) ON DELETE CASCADE,
    job_id text NOT NULL,
    active_target text,
    deployment jsonb NOT NULL
  )`,

  // One row per write that concerns many instances, until all of them have been ordered.
  `CREATE TABLE fan_outs (
    id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT fan_outs_pk PRIMARY KEY,
    kind text NOT NULL CHECK (kind IN ('Solution', 'Target')),
    namespace text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    uid text NOT NULL,
    properties jsonb NOT NULL,
    reached text COLLATE "C",
    created_at timestamptz NOT NULL DEFAULT now()
  )`,
  `COMMENT ON COLUMN fan_outs.properties IS 'the sets of properties that the target had and has'`,
  `COMMENT ON COLUMN fan_outs.reached IS 'name of the last instance that was ordered; null: not begun'`,
  `CREATE INDEX fan_outs_by_object ON fan_outs (namespace, kind, name)`,
];

const DOWN = [`DROP TABLE fan_outs, lane_payloads, lanes, workers`, `DROP SEQUENCE lane_order_seq`];

/** The lanes of the job manager, the workers that serve them, and the fan-outs that fill them. */
export class Lanes1700000002000 implements MigrationInterface {
  readonly name = 'Lanes1700000002000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}
