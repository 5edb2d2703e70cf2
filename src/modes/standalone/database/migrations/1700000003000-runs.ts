import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What runs leave behind: the ledger, summaries, history, and the health of targets. */
export class Runs1700000003000 implements MigrationInterface {
  readonly name = 'Runs1700000003000';

  async up(runner: QueryRunner): Promise<void> {
    // entry_key is a hash over what identifies an entry: names of 253 characters would not fit into an index row.
    await runner.query(`
      CREATE TABLE ledger (
        owner_uid       text        NOT NULL,
        entry_key       text        NOT NULL,
        target_uid      text        NOT NULL,
        component       text        NOT NULL,
        role            text        NOT NULL,
        provider        text        NOT NULL,
        binding_hash    text        NOT NULL,
        owner_kind      text        NOT NULL,
        owner_namespace text        NOT NULL,
        owner_name      text        NOT NULL,
        target_name     text        NOT NULL,
        scope           text        NOT NULL,
        binding         jsonb       NOT NULL,
        applied         jsonb       NOT NULL,
        digest          text        NOT NULL,
        state           text        NOT NULL CHECK (state IN ('intent', 'applied', 'removing')),
        generation      text        NOT NULL,
        updated_at      timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT ledger_pk PRIMARY KEY (owner_uid, entry_key)
      )`);
    await runner.query(`CREATE INDEX ledger_by_target ON ledger (target_uid, owner_uid)`);

    await runner.query(`
      CREATE TABLE summaries (
        namespace       text        NOT NULL,
        key             text        NOT NULL,
        generation      text        NOT NULL,
        deployment_hash text        NOT NULL,
        state           smallint    NOT NULL,
        summary         jsonb       NOT NULL,
        written_at      timestamptz NOT NULL DEFAULT now(),
        CONSTRAINT summaries_pk PRIMARY KEY (namespace, key)
      )`);
    await runner.query(`CREATE INDEX summaries_by_age ON summaries (written_at)`);

    await runner.query(`
      CREATE TABLE runs (
        id         uuid        NOT NULL CONSTRAINT runs_pk PRIMARY KEY,
        object_uid text        NOT NULL,
        generation bigint      NOT NULL,
        cause      text        NOT NULL,
        actor      text,
        epoch      bigint      NOT NULL,
        started_at timestamptz NOT NULL,
        ended_at   timestamptz NOT NULL,
        result     text        NOT NULL,
        reason     text        NOT NULL,
        message    text        NOT NULL,
        steps      jsonb       NOT NULL,
        attempts   integer     NOT NULL
      )`);
    await runner.query(`CREATE INDEX runs_by_object ON runs (object_uid, started_at DESC, id)`);
    await runner.query(`CREATE INDEX runs_by_age ON runs (started_at)`);

    await runner.query(`
      CREATE TABLE target_health (
        target_uid text        NOT NULL CONSTRAINT target_health_pk PRIMARY KEY,
        failures   integer     NOT NULL,
        open_until timestamptz,
        probing    boolean     NOT NULL DEFAULT false,
        reason     text        NOT NULL,
        message    text        NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now()
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE target_health, runs, summaries, ledger`);
  }
}
