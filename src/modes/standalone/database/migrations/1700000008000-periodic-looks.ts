import type { QueryRunner } from 'typeorm';
import type { Migration } from '../compatibility.js';

/** When a lane's next periodic look was due before another order came first. */
export class PeriodicLooks1700000008000 implements Migration {
  readonly name = 'PeriodicLooks1700000008000';
  readonly oldestProgram = 1700000007000;

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE lanes ADD COLUMN look_at timestamptz`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`ALTER TABLE lanes DROP COLUMN look_at`);
  }
}
