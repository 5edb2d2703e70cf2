import { Client } from 'pg';

interface OnDatabase {
  databaseUrl: string;
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
export function ledgerOf(engine: OnDatabase, owner: string): Promise<LedgerRow[]> {
  return sql<LedgerRow>(
    engine,
    `SELECT component, target_name AS target, role, provider, scope, state, binding->'config'->>'id' AS mock
     FROM ledger WHERE owner_name = $1 ORDER BY target_name, component, role, scope`,
    [owner],
  );
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
  const [lane] = await sql<{ reason: string | null }>(engine, 'SELECT reason FROM lanes WHERE name = $1', [
    name,
  ]);
  return lane?.reason ?? undefined;
}
