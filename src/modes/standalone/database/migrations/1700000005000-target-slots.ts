import type { MigrationInterface, QueryRunner } from 'typeorm';

const UP = [
  // Without a value: an engine of a version that does not share its slots, for which nobody waits.
  `ALTER TABLE workers ADD COLUMN shares boolean`,
  `COMMENT ON COLUMN workers.shares IS 'its calls are all in target_slots; false: it believes to be alone'`,

  // One row per call to a target that is under way. They go with their worker, whoever declares it dead.
  `CREATE TABLE target_slots (
    target_uid text NOT NULL,
    slot integer NOT NULL,
    worker text COLLATE "C" NOT NULL REFERENCES workers (id) ON DELETE CASCADE,
    call bigint NOT NULL,
    wanted boolean NOT NULL DEFAULT false,
    taken_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CONSTRAINT target_slots_pk PRIMARY KEY (target_uid, slot)
  ) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02)`,
  `COMMENT ON COLUMN target_slots.wanted IS 'another call waits for it: whoever frees it tells'`,
  `CREATE INDEX target_slots_by_worker ON target_slots (worker, call)`,
];

const DOWN = [`DROP TABLE target_slots`, `ALTER TABLE workers DROP COLUMN shares`];

/** The slots of targets, counted over all replicas. */
export class TargetSlots1700000005000 implements MigrationInterface {
  readonly name = 'TargetSlots1700000005000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}
