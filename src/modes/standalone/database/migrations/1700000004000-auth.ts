import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The key that signs tokens: one row, whatever happens. */
export class Auth1700000004000 implements MigrationInterface {
  readonly name = 'Auth1700000004000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE signing_keys (
        id         smallint    NOT NULL CONSTRAINT signing_keys_pk PRIMARY KEY CHECK (id = 1),
        key        bytea       NOT NULL CHECK (octet_length(key) = 32),
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE signing_keys');
  }
}
