import type { MigrationInterface, QueryRunner } from 'typeorm';

const UP = [
  // Versions are never used twice, so that the ETag of a deleted object cannot match its successor.
  `CREATE SEQUENCE object_version_seq AS bigint`,

  // COLLATE "C": the order of lists, and so of pages, must not depend on the server's locale.
  `CREATE TABLE objects (
    uid uuid NOT NULL DEFAULT gen_random_uuid(),
    kind text COLLATE "C" NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    generation bigint NOT NULL DEFAULT 1,
    version bigint NOT NULL DEFAULT nextval('object_version_seq'),
    labels jsonb NOT NULL,
    annotations jsonb NOT NULL,
    spec jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    deletion_timestamp timestamptz,
    solution_ref text COLLATE "C",
    target_ref text COLLATE "C",
    target_dynamic boolean NOT NULL DEFAULT false,
    CONSTRAINT objects_pk PRIMARY KEY (uid),
    CONSTRAINT objects_key UNIQUE (kind, namespace, name)
  )`,
  `COMMENT ON COLUMN objects.solution_ref IS
    'Instances: spec.solution with every ":" written as "-v-"'`,
  `COMMENT ON COLUMN objects.target_ref IS
    'Instances: spec.target.name with every ":" written as "-v-"; null when it is a pattern or absent'`,
  `COMMENT ON COLUMN objects.target_dynamic IS
    'Instances: the targets follow from a pattern or a selector, so any target may concern it'`,
  // Without the list of pending entries, which lists would have to read through until the next vacuum.
  `CREATE INDEX objects_labels ON objects USING gin (labels) WITH (fastupdate = off)`,
  `CREATE INDEX objects_by_solution ON objects (namespace, solution_ref, name) WHERE kind = 'Instance'`,
  `CREATE INDEX objects_by_target ON objects (namespace, target_ref, name)
    WHERE kind = 'Instance' AND target_ref IS NOT NULL`,
  `CREATE INDEX objects_by_dynamic_target ON objects (namespace, name)
    WHERE kind = 'Instance' AND target_dynamic`,
  // What people put into field selectors; the expressions are those of field-columns.ts.
  `CREATE INDEX objects_spec_solution ON objects ((spec ->> 'solution')) WHERE kind = 'Instance'`,
  `CREATE INDEX objects_spec_target_name ON objects ((spec #>> '{target,name}')) WHERE kind = 'Instance'`,
  `CREATE INDEX objects_display_name ON objects (kind, (spec ->> 'displayName'))`,

  // Apart from objects, so that the engine's writes never wait for a user's, nor a user's for the engine's.
  `CREATE TABLE object_status (
    uid uuid NOT NULL,
    engine jsonb,
    reported jsonb,
    reported_at timestamptz,
    CONSTRAINT object_status_pk PRIMARY KEY (uid),
    CONSTRAINT object_status_object FOREIGN KEY (uid) REFERENCES objects (uid) ON DELETE CASCADE
  ) WITH (fillfactor = 80)`,
  `CREATE INDEX object_status_word ON object_status ((engine ->> 'status'))`,
];

const DOWN = [`DROP TABLE object_status`, `DROP TABLE objects`, `DROP SEQUENCE object_version_seq`];

/** Objects and their status. */
export class Objects1700000001000 implements MigrationInterface {
  readonly name = 'Objects1700000001000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of UP) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    for (const statement of DOWN) await runner.query(statement);
  }
}
