import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { MIGRATIONS } from '../../../src/modes/standalone/database/migrations/index.js';
import { timestampOf } from '../../../src/modes/standalone/database/compatibility.js';
import { builtMain } from '../../support/built.js';

const FOLDER = join('dist', 'modes', 'standalone', 'database', 'migrations');

/** Timestamp of the newest migration of this version. */
export const NEWEST = Math.max(...MIGRATIONS.map(({ name }) => timestampOf(name)));

export interface FutureVersion {
  /** Its `dist/main`. */
  main: string;
  /** The name of its migration. */
  migration: string;
  remove(): Promise<void>;
}

export interface FutureMigration {
  /** SQL. */
  up: readonly string[];
  tables?: readonly string[];
  /** Left out: the migration does not say who can live with it. */
  oldestProgram?: number;
}

/** The version after this one: a copy of this one's build that has one migration more. */
export async function futureVersion({
  up,
  tables = [],
  oldestProgram,
}: FutureMigration): Promise<FutureVersion> {
  const root = dirname(dirname(await builtMain()));
  const folder = await mkdtemp(join(tmpdir(), 'symphony-future-'));
  await cp(join(root, 'dist'), join(folder, 'dist'), { recursive: true });
  await cp(join(root, 'package.json'), join(folder, 'package.json'));
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
  const migration = `Future${NEWEST + 1000}`;
  const migrations = join(folder, FOLDER);
  await writeFile(
    join(migrations, 'future.js'),
    `export class ${migration} {
       name = '${migration}';
       tables = ${JSON.stringify(tables)};
       ${oldestProgram === undefined ? '' : `oldestProgram = ${oldestProgram};`}
       async up(runner) { for (const statement of ${JSON.stringify(up)}) await runner.query(statement); }
       async down() {}
     }`,
  );
  const index = await readFile(join(migrations, 'index.js'), 'utf8');
  const known = `import { ${migration} } from './future.js';\n${index.replace('export const MIGRATIONS = [', `$&${migration},`)}`;
  if (!known.includes(`[${migration}`))
    throw new Error('the list of migrations looks otherwise than expected');
  await writeFile(join(migrations, 'index.js'), known);
  return {
    main: join(folder, 'dist', 'main'),
    migration,
    remove: () => rm(folder, { recursive: true, force: true }),
  };
}
