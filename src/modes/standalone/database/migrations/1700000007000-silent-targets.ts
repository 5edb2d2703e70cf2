import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How long calls that were cut short had been without an answer: what does not answer is not to look healthy for that. */
export class SilentTargets1700000007000 implements MigrationInterface {
  readonly name = 'SilentTargets1700000007000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE target_health ADD COLUMN silent_ms double precision NOT NULL DEFAULT 0`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE target_health DROP COLUMN silent_ms`);
  }
}
