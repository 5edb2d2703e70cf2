import type { QueryRunner } from 'typeorm';
import { expect, test } from 'vitest';
import { timestampOf, type Migration } from './compatibility.js';
import { MIGRATIONS } from './migrations/index.js';

/** Made the first schema; nobody worked before them. */
const FIRST = ['Objects1700000001000', 'Lanes1700000002000', 'Runs1700000003000', 'Auth1700000004000'];
/** Made before migrations said who can live with them. */
const SILENT = [
  ...FIRST,
  'TargetSlots1700000005000',
  'PendingOutcomes1700000006000',
  'SilentTargets1700000007000',
];

/** What the version before would stumble over, or wait for. */
const TAKES_AWAY: readonly (readonly [string, RegExp])[] = [
  ['removes a table or view', /\bDROP\s+(TABLE|VIEW|SEQUENCE)\b/i],
  ['removes a column', /\bDROP\s+COLUMN\b/i],
  ['renames', /\bRENAME\b/i],
  ['changes the type of a column', /\bALTER\s+(COLUMN\s+)?\w+\s+(SET\s+DATA\s+)?TYPE\b/i],
  ['demands a value where none was needed', /\bSET\s+NOT\s+NULL\b/i],
  ['takes a default away', /\bDROP\s+DEFAULT\b/i],
  [
    'adds a column that has to be given',
    /\bADD\s+(COLUMN\s+)?(?!CONSTRAINT)[^,]*\bNOT\s+NULL\b(?![^,]*\bDEFAULT\b)(?!.*\bDEFAULT\b)/i,
  ],
  ['checks what is there, under a lock', /\bADD\s+CONSTRAINT\b(?!.*\bNOT\s+VALID\b)/is],
];

/** The statements of a migration; it is not run. */
async function statementsOf(migration: Migration): Promise<string[]> {
  const statements: string[] = [];
  const runner = { query: (text: string) => Promise.resolve(statements.push(text)) };
  await migration.up(runner as unknown as QueryRunner);
  return statements;
}

const all = MIGRATIONS.map((change): [string, Migration] => [change.name, new change()]);

test('names end in a number above those before, and are those of their classes', () => {
  const numbers = all.map(([name]) => timestampOf(name));
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  expect(new Set(numbers).size).toBe(numbers.length);
  for (const [name, migration] of all) expect((migration as { name?: string }).name).toBe(name);
});

test.each(all.filter(([name]) => !FIRST.includes(name)))(
  '%s: a migration that earlier programs are to live with takes nothing away',
  async (name, migration) => {
    const own = timestampOf(name);
    if (!SILENT.includes(name)) expect(migration.oldestProgram, 'it says who can live with it').toBeDefined();
    if (migration.oldestProgram === own) return;
    const statements = await statementsOf(migration);
    const complaints = statements.flatMap((text) =>
      TAKES_AWAY.filter(([, pattern]) => pattern.test(text)).map(([what]) => `${what}: ${text}`),
    );
    // What was given up by all programs that are let in: say so here, with the version that gave it up.
    expect(complaints).toEqual([]);
  },
);

test.each(all.filter(([name]) => !SILENT.includes(name)))(
  '%s: a migration that alters several tables names them, to lock them in order',
  async (_, migration) => {
    const made = new Set<string>();
    const altered = new Set<string>();
    for (const text of await statementsOf(migration)) {
      const [, table = ''] = /\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)/i.exec(text) ?? [];
      made.add(table);
      const [, changed] = /\bALTER\s+TABLE\s+(?:ONLY\s+)?(\w+)/i.exec(text) ?? [];
      if (changed !== undefined && !made.has(changed)) altered.add(changed);
    }
    if (altered.size > 1) expect([...(migration.tables ?? [])].sort()).toEqual([...altered].sort());
  },
);

test('the check itself: what it lets pass and what it does not', () => {
  const complaintsOf = (text: string): string[] =>
    TAKES_AWAY.filter(([, pattern]) => pattern.test(text)).map(([what]) => what);
  for (const text of [
    'ALTER TABLE lanes ADD COLUMN a text',
    'ALTER TABLE lanes ADD COLUMN a integer NOT NULL DEFAULT 0, ADD COLUMN b jsonb',
    'CREATE TABLE a (id bigint NOT NULL, CONSTRAINT a_pk PRIMARY KEY (id))',
    'CREATE INDEX CONCURRENTLY a ON lanes (a)',
    'ALTER TABLE lanes ADD CONSTRAINT c CHECK (a > 0) NOT VALID',
    "COMMENT ON COLUMN lanes.a IS 'what it is'",
  ]) {
    expect([text, complaintsOf(text)]).toEqual([text, []]);
  }
  for (const text of [
    'DROP TABLE lanes',
    'ALTER TABLE lanes DROP COLUMN a',
    'ALTER TABLE lanes RENAME COLUMN a TO b',
    'ALTER TABLE lanes ALTER COLUMN a TYPE bigint',
    'ALTER TABLE lanes ALTER COLUMN a SET NOT NULL',
    'ALTER TABLE lanes ALTER COLUMN a DROP DEFAULT',
    'ALTER TABLE lanes ADD COLUMN a integer NOT NULL',
    'ALTER TABLE lanes ADD CONSTRAINT c CHECK (a > 0)',
  ]) {
    expect([text, complaintsOf(text).length]).toEqual([text, 1]);
  }
});
