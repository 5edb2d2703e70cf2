import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { it } from 'vitest';
import { Client } from 'pg';
import { run as runCommand } from '../../src/cli/run.js';
import { CUSTOM_RESOURCES } from '../../src/modes/k8s/crds/index.js';
import type { TestCluster } from './control-plane/cluster.js';
import { isElsewhere } from './engine-place.js';
import { clusterOfPlaces, namespaceOf } from './kubernetes-mode.js';

interface OnDatabase {
  databaseUrl: string;
}

/** A test of what only standalone mode has; in Kubernetes mode it is skipped by name. @param why a sentence */
export function standaloneOnly(why: string): (name: string, body: () => Promise<void>) => void {
  return (name, body) => {
    if (isElsewhere()) it.skip(`${name} [not in Kubernetes mode: ${why}]`, body);
    else it(name, body);
  };
}

/** One statement on the database of an engine, past the engine. */
export async function sql<T = Record<string, unknown>>(
  { databaseUrl }: OnDatabase,
  text: string,
  values: readonly unknown[] = [],
): Promise<T[]> {
  const client = new Client({ connectionString: databaseUrl });
  await client.connect();
  try {
    const { rows } = await client.query(text, [...values]);
    return rows as T[];
  } finally {
    await client.end();
  }
}

/** Makes a lane due as a person's order would, without the engine, whose tables may be broken at the moment. */
export async function makeDue(engine: OnDatabase, name: string): Promise<void> {
  if (isElsewhere()) {
    await inCluster(
      engine,
      'annotate',
      '--overwrite',
      `instance/${name}`,
      `symphony/reconcile=${randomUUID()}`,
    );
    return;
  }
  await sql(
    engine,
    `WITH due AS (UPDATE lanes SET due_at = now(), cause = 0 WHERE name = $1 AND worker IS NULL)
     SELECT pg_notify('symphony_jobs', 'lanes')`,
    [name],
  );
}

/** While `work` goes on, whatever reads the table fails. */
export async function withoutTable<T>(engine: OnDatabase, table: string, work: () => Promise<T>): Promise<T> {
  await sql(engine, `ALTER TABLE ${table} RENAME TO ${table}_gone`);
  try {
    return await work();
  } finally {
    await sql(engine, `ALTER TABLE ${table}_gone RENAME TO ${table}`);
  }
}

export interface LedgerRow {
  component: string;
  target: string;
  role: string;
  provider: string;
  scope: string;
  state: string;
  mock: string;
}

/** What the ledger holds, ordered. */
export async function ledgerOf(engine: OnDatabase, owner: string): Promise<LedgerRow[]> {
  if (isElsewhere()) return (await ledgersInCluster(engine)).filter((row) => row.owner === owner).map(rowOf);
  return sql<LedgerRow>(
    engine,
    `SELECT component, target_name AS target, role, provider, scope, state, binding->'config'->>'id' AS mock
     FROM ledger WHERE owner_name = $1 ORDER BY target_name, component, role, scope`,
    [owner],
  );
}

/** Owners that have something on a target, one for each component. */
export async function ownersOn(engine: OnDatabase, target: string): Promise<string[]> {
  if (isElsewhere()) {
    return (await ledgersInCluster(engine)).filter((row) => row.target === target).map(({ owner }) => owner);
  }
  const rows = await sql<{ owner: string }>(
    engine,
    'SELECT owner_name AS owner FROM ledger WHERE target_name = $1',
    [target],
  );
  return rows.map(({ owner }) => owner);
}

/** `a@t1` for each row that is known to be applied; others with their state. */
export async function appliedOf(engine: OnDatabase, owner: string): Promise<string[]> {
  const rows = await ledgerOf(engine, owner);
  return rows.map(({ component, target, state }) =>
    state === 'applied' ? `${component}@${target}` : `${component}@${target} (${state})`,
  );
}

/** The reason of the lane's last run. */
export async function lastReason(engine: OnDatabase, name: string): Promise<string | undefined> {
  if (isElsewhere()) {
    return (
      (await inCluster(engine, 'get', `instance/${name}`, '-o', 'jsonpath={.status.reason}')) || undefined
    );
  }
  const [lane] = await sql<{ reason: string | null }>(engine, 'SELECT reason FROM lanes WHERE name = $1', [
    name,
  ]);
  return lane?.reason ?? undefined;
}

/** All that an engine keeps, one record a line; of a database also the file that the product's own backup writes, unpacked. */
export async function everythingStored(engine: OnDatabase): Promise<string> {
  if (isElsewhere()) return everythingInCluster(engine);
  const names = await sql<{ name: string }>(
    engine,
    `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1`,
  );
  const tables = [];
  for (const { name } of names) {
    const rows = await sql<{ line: string }>(engine, `SELECT t::text AS line FROM ${name} AS t`);
    tables.push(...rows.map(({ line }) => `table ${name}: ${line}`));
  }
  return [...tables, await backupOf(engine)].join('\n');
}

async function backupOf({ databaseUrl }: OnDatabase): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'symphony-backup-'));
  try {
    const file = join(folder, 'backup');
    let err = '';
    const io = { out: () => undefined, err: (text: string) => void (err += text) };
    const code = await runCommand(['backup', '--file', file, '--database-url', databaseUrl], {}, io);
    if (code !== 0) throw new Error(err);
    return gunzipSync(await readFile(file)).toString();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Also what the engine keeps in kinds of Kubernetes' own; each object is there in full, with who wrote which field. */
async function everythingInCluster(engine: OnDatabase): Promise<string> {
  const ours = CUSTOM_RESOURCES.map(({ plural, group }) => `${plural}.${group}`);
  const kinds = [...ours, 'events.events.k8s.io', 'leases', 'configmaps', 'secrets'].join();
  const list = await inCluster(engine, 'get', kinds, '-o', 'json', '--show-managed-fields');
  const { items } = JSON.parse(list) as { items: object[] };
  return items.map((item) => JSON.stringify(item)).join('\n');
}

interface OwnedRow extends LedgerRow {
  owner: string;
}

function rowOf({ owner: _owner, ...row }: OwnedRow): LedgerRow {
  return row;
}

interface LedgerList {
  items: {
    spec: {
      owner: { name: string };
      targetName: string;
      entries?: (Omit<LedgerRow, 'target' | 'mock'> & { binding: { config?: { id?: string } } })[];
    };
  }[];
}

async function inCluster(engine: OnDatabase, ...args: string[]): Promise<string> {
  const cluster: TestCluster = await clusterOfPlaces();
  return cluster.kubectl(args, { namespace: namespaceOf(engine.databaseUrl) });
}

/** In the order of target, component, role and scope. */
async function ledgersInCluster(engine: OnDatabase): Promise<OwnedRow[]> {
  const { items } = JSON.parse(await inCluster(engine, 'get', 'ledgers', '-o', 'json')) as LedgerList;
  const rows = items.flatMap(({ spec: { owner, targetName, entries = [] } }) =>
    entries.map(({ component, role, provider, scope, state, binding }) => ({
      owner: owner.name,
      component,
      target: targetName,
      role,
      provider,
      scope,
      state,
      mock: binding.config?.id ?? '',
    })),
  );
  const key = ({ target, component, role, scope }: OwnedRow): string =>
    [target, component, role, scope].join('\0');
  return rows.toSorted((a, b) => (key(a) < key(b) ? -1 : 1));
}
