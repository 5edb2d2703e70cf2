import type { MigrationInterface, QueryRunner } from 'typeorm';

const UP = [
  // An engine of an earlier version sees an intent, and asks the provider again.
  `ALTER TABLE ledger
    ADD COLUMN pending jsonb,
    ADD COLUMN report jsonb,
    ADD COLUMN reported_failures integer NOT NULL DEFAULT 0`,
  `COMMENT ON COLUMN ledger.pending IS 'accepted by the provider, to be reported: since, deadline, ticket, what it was given'`,
  // A fan-out that wakes only those that wait; an engine of an earlier version orders all dependents, which does no harm.
  `ALTER TABLE fan_outs ADD COLUMN only_waiting boolean NOT NULL DEFAULT false`,
];

const DOWN = [
  `ALTER TABLE fan_outs DROP COLUMN only_waiting`,
  `ALTER TABLE ledger DROP COLUMN pending, DROP COLUMN report, DROP COLUMN reported_failures`,
];

/** Components whose outcome is reported later, and wake-ups of those that wait for a target. */
export class PendingOutcomes1700000006000 implements MigrationInterface {
  readonly name = 'PendingOutcomes1700000006000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}
