import type { MigrationInterface, QueryRunner } from 'typeorm';

/** When a lane's next periodic look was due before another order came first. */
export class PeriodicLooks1700000008000 implements MigrationInterface {
  readonly name = 'PeriodicLooks1700000008000';
  /** See `Migration` of compatibility.ts. */
  readonly oldestProgram = 1700000007000;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE lanes ADD COLUMN look_at timestamptz`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE lanes DROP COLUMN look_at`);
  }
}
