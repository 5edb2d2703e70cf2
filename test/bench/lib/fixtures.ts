import { setTimeout as delay } from 'node:timers/promises';
import pLimit from 'p-limit';
import type { BenchEngine } from './engine.js';

/** Requests that the load generator has under way at once. */
const CLIENTS = 16;

/** A solution of one component, and targets with the mock provider, which answers at once. */
export async function declare(engine: BenchEngine, targets: number): Promise<void> {
  const { client } = engine;
  await client.solution('bench', [{ name: 'web', type: 'container', properties: { image: 'bench:1' } }]);
  for (let i = 0; i < targets; i++) {
    await client.target(`target-${i}`, {
      topologies: [{ bindings: [{ role: 'instance', provider: 'providers.target.mock', config: {} }] }],
    });
    await client.settled('targets/registry', `target-${i}`);
  }
}

export function instanceSpec(i: number, targets: number): object {
  return { solution: 'bench', target: { name: `target-${i % targets}` } };
}

/** Calls `work` for 0 to count - 1, several at once. */
export async function forEach<T>(count: number, work: (i: number) => Promise<T>): Promise<T[]> {
  const limit = pLimit(CLIENTS);
  return Promise.all(Array.from({ length: count }, (_, i) => limit(() => work(i))));
}

/** How often the benches look whether all is done: often enough for tenths of seconds, and no load to speak of. */
export const LOOK_EVERY_MS = 100;

/** Waits until as many instances are `Succeeded` for their newest generation, by asking the database. */
export async function allSucceeded(engine: BenchEngine, count: number, deadlineMs = 600_000): Promise<void> {
  await engine.client.until(
    `${count} instances to be Succeeded`,
    async () => {
      await delay(LOOK_EVERY_MS);
      // Counting what has succeeded reads them all: only once nothing waits or runs any more.
      return !(await isBusy(engine)) && (await succeeded(engine)) >= count ? true : undefined;
    },
    () => succeeded(engine),
    deadlineMs,
  );
}

/** Whether any lane has an order that has not run, or will have one. @param besides an object that does not count */
export async function isBusy(engine: BenchEngine, besides = ''): Promise<boolean> {
  const [row] = await engine.sql<{ busy: boolean }>(
    `SELECT EXISTS (SELECT FROM fan_outs)
         OR EXISTS (SELECT FROM lanes WHERE worker IS NOT NULL AND name <> $1)
         OR EXISTS (SELECT FROM lanes WHERE cause < 3 AND worker IS NULL AND due_at IS NOT NULL AND NOT suspended
                                        AND name <> $1) AS busy`,
    [besides],
  );
  return row?.busy ?? false;
}

async function succeeded(engine: BenchEngine): Promise<number> {
  const [row] = await engine.sql<{ count: number }>(`
    SELECT count(*)::int AS count FROM objects o JOIN object_status s USING (uid)
    WHERE o.kind = 'Instance' AND s.engine->>'status' = 'Succeeded'
      AND (s.engine->>'observedGeneration')::bigint = o.generation`);
  return row?.count ?? 0;
}

/**
 * Copies one converged instance, with all that its run left behind, so that a store of 100,000 is made in seconds instead of
 * half an hour. What is copied is what the engine itself has written.
 * @param withinMs the copies' periodic runs are due at random times within so many milliseconds from now
 */
export async function copyInstance(
  engine: Pick<BenchEngine, 'sql'>,
  name: string,
  count: number,
  withinMs: number,
): Promise<void> {
  await engine.sql('BEGIN');
  await engine.sql(
    `CREATE TEMP TABLE copies ON COMMIT DROP AS
     SELECT gen_random_uuid() AS uid, $1 || '-' || lpad(i::text, 6, '0') AS name FROM generate_series(1, $2::int) AS i`,
    [name, count],
  );
  await engine.sql(
    `INSERT INTO objects (uid, kind, namespace, name, generation, labels, annotations, spec, solution_ref, target_ref, target_dynamic)
     SELECT c.uid, o.kind, o.namespace, c.name, o.generation, o.labels, o.annotations, o.spec, o.solution_ref, o.target_ref, o.target_dynamic
     FROM objects o CROSS JOIN copies c WHERE o.kind = 'Instance' AND o.name = $1`,
    [name],
  );
  await engine.sql(
    `INSERT INTO object_status (uid, engine)
     SELECT c.uid, s.engine FROM object_status s JOIN objects o USING (uid) CROSS JOIN copies c
     WHERE o.kind = 'Instance' AND o.name = $1`,
    [name],
  );
  await engine.sql(
    `INSERT INTO ledger (owner_uid, entry_key, target_uid, component, role, provider, binding_hash, owner_kind,
                         owner_namespace, owner_name, target_name, scope, binding, applied, digest, state, generation)
     SELECT c.uid::text, l.entry_key, l.target_uid, l.component, l.role, l.provider, l.binding_hash, l.owner_kind,
            l.owner_namespace, c.name, l.target_name, l.scope, l.binding, l.applied, l.digest, l.state, l.generation
     FROM ledger l CROSS JOIN copies c WHERE l.owner_kind = 'Instance' AND l.owner_name = $1`,
    [name],
  );
  await engine.sql(
    `INSERT INTO summaries (namespace, key, generation, deployment_hash, state, summary)
     SELECT s.namespace, c.name, s.generation, s.deployment_hash, s.state, s.summary
     FROM summaries s CROSS JOIN copies c WHERE s.key = $1`,
    [name],
  );
  await engine.sql(
    `INSERT INTO lanes (kind, namespace, name, generation, deleting, cause, order_seq, claimed_seq, done_seq, due_at,
                        epoch, result, reason, message, last_hash)
     SELECT l.kind, l.namespace, c.name, l.generation, false, 3, l.order_seq, l.claimed_seq, l.done_seq,
            now() + random() * $2 * interval '1 ms', l.epoch, l.result, l.reason, l.message, l.last_hash
     FROM lanes l CROSS JOIN copies c WHERE l.kind = 'Instance' AND l.name = $1`,
    [name, withinMs],
  );
  await engine.sql('COMMIT');
}
