import { afterAll, beforeAll } from 'vitest';
import {
  PostgresJobStore,
  assertFence,
  insertFanOuts,
} from '../../../src/modes/standalone/stores/jobs/index.js';
import { jobStoreConformance, OutcomeRecorder } from '../../support/job-store-conformance.js';
import { openQueue, type QueueFixture } from './support.js';

let queue: QueueFixture;
beforeAll(async () => {
  queue = await openQueue('job_store_conformance');
});
afterAll(() => queue.close());

jobStoreConformance(async () => {
  await queue.clear();
  const { database, wakeups } = queue;
  const writer = new OutcomeRecorder();
  return {
    store: new PostgresJobStore(database, (_tx, claim) => writer.write(claim), wakeups),
    waker: wakeups,
    writer,
    exist: async (keys) => {
      await database.query(
        `INSERT INTO objects (kind, namespace, name, labels, annotations, spec)
         SELECT kind, namespace, name, '{}', '{}', '{}'
         FROM unnest($1::text[], $2::text[], $3::text[]) AS k (kind, namespace, name)
         ON CONFLICT (kind, namespace, name) DO NOTHING`,
        [keys.map((key) => key.kind), keys.map((key) => key.namespace), keys.map((key) => key.name)],
      );
    },
    vanish: async ({ kind, namespace, name }) => {
      await database.query('DELETE FROM objects WHERE (kind, namespace, name) = ($1, $2, $3)', [
        kind,
        namespace,
        name,
      ]);
    },
    dependOn: async (solution, instances) => {
      await database.query(
        `INSERT INTO objects (kind, namespace, name, generation, labels, annotations, spec, solution_ref)
         SELECT 'Instance', $1, name, generation, '{}', '{}', '{}', $2
         FROM unnest($3::text[], $4::bigint[]) AS i (name, generation)`,
        [
          solution.namespace,
          solution.name,
          instances.map(({ name }) => name),
          instances.map(({ generation }) => generation),
        ],
      );
    },
    fanOut: (fanOut) => insertFanOuts(database, [fanOut]),
    // The database's clock cannot be moved: what is stored moves instead.
    pass: async (ms) => {
      await database.query(
        `UPDATE lanes SET due_at = due_at - $1 * interval '1 ms', ordered_at = ordered_at - $1 * interval '1 ms',
                          claimed_at = claimed_at - $1 * interval '1 ms'`,
        [ms],
      );
      await database.query(`UPDATE workers SET lease_until = lease_until - $1 * interval '1 ms'`, [ms]);
    },
    assertFence: (fence) => database.transaction((tx) => assertFence(tx, fence)),
  };
});
