import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ObjectStatus } from '@symphony/model';
import type { Claim } from '../../../src/modules/queue/index.js';
import { PostgresJobStore } from '../../../src/modes/standalone/stores/jobs/index.js';
import { writeOutcome, writeOutcomes } from '../../../src/modes/standalone/stores/runs/outcome-writer.js';
import { claimAll, keyOf, openQueue, orderOf, outcomeOf, type QueueFixture } from './support.js';

let queue: QueueFixture;

beforeAll(async () => {
  queue = await openQueue('completions_together');
});
afterAll(async () => queue.close());
beforeEach(async () => queue.clear());

const COUNT = 60;
const HOUR_MS = 3_600_000;
const STATUS: ObjectStatus = {
  provisioningStatus: { operationId: '', status: 'Succeeded', error: {} },
  status: 'Succeeded',
  reason: 'Succeeded',
  observedGeneration: 1,
  lastModified: '2026-01-01T00:00:00.000Z',
  deployed: 1,
  targets: 1,
};

async function claimed() {
  await queue.order(...Array.from({ length: COUNT }, (_, i) => orderOf({ name: `lane-${i}` })));
  await queue.store.register('worker', 60_000);
  const claims = await claimAll(queue, 'worker', COUNT);
  expect(claims).toHaveLength(COUNT);
  return claims;
}

test('what ends in the same moment is written together, each by its own fence and its own newest order', async () => {
  const claims = await claimed();
  await queue.order(orderOf({ name: 'lane-7', generation: 2 }));
  const results = await Promise.all(
    claims.map((claim) => {
      const late = claim.name === 'lane-3';
      const fence = late ? { ...claim.fence, epoch: claim.fence.epoch - 1 } : claim.fence;
      return queue.store.complete({ ...claim, fence }, outcomeOf({ nextRunMs: HOUR_MS }));
    }),
  );
  const byName = new Map(claims.map((claim, i) => [claim.name, results[i]]));
  expect(byName.get('lane-3')).toEqual({ fenced: true, again: false });
  expect(byName.get('lane-7')).toEqual({ fenced: false, again: true });
  for (const [name, result] of byName) {
    if (name !== 'lane-3' && name !== 'lane-7') expect(result).toEqual({ fenced: false, again: false });
  }
  expect((await queue.store.find(keyOf('lane-3')))?.state).toBe('running');
  expect((await queue.store.find(keyOf('lane-7')))?.state).toBe('waiting');
  expect((await queue.store.find(keyOf('lane-8')))?.state).toBe('idle');
});

test('an outcome that cannot be stored is refused alone', async () => {
  const claims = await claimed();
  const results = await Promise.allSettled(
    claims.map((claim) => {
      const message = claim.name === 'lane-5' ? 'no text for a database: \0' : 'fine';
      return queue.store.complete(claim, { result: 'succeeded', reason: { code: 'Succeeded', message } });
    }),
  );
  const refused = claims.filter((_, i) => results[i]?.status === 'rejected').map((claim) => claim.name);
  expect(refused).toEqual(['lane-5']);
});

test('the same completion twice in one moment counts once', async () => {
  const [claim] = await claimed();
  if (!claim) throw new Error('nothing was claimed');
  await Promise.all([1, 2].map(() => queue.store.complete(claim, outcomeOf({ result: 'retry' }))));
  expect((await queue.store.find(keyOf(claim.name)))?.attempts).toBe(1);
});

test('outcomes with a status are written together: the late one writes nothing, the bad one spoils no other', async () => {
  const store = new PostgresJobStore(queue.database, writeOutcome, queue.wakeups, {
    writeMany: writeOutcomes,
  });
  await queue.database.query(`
    INSERT INTO objects (kind, namespace, name, labels, annotations, spec)
    SELECT 'Instance', 'default', 'lane-' || i, '{}', '{}', '{}' FROM generate_series(0, ${COUNT - 1}) AS i`);
  const claims = await claimed();
  const results = await Promise.allSettled(
    claims.map((claim) => {
      const fence = { ...claim.fence, epoch: claim.fence.epoch - Number(claim.name === 'lane-3') };
      const message = claim.name === 'lane-5' ? 'no text for a database: \0' : 'fine';
      const status: ObjectStatus = { ...STATUS, statusDetails: message };
      return store.complete({ ...claim, fence }, outcomeOf({ nextRunMs: HOUR_MS, status }));
    }),
  );
  const late = results[claims.findIndex(({ name }) => name === 'lane-3')];
  expect(late).toEqual({ status: 'fulfilled', value: { fenced: true, again: false } });
  expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(1);
  const written = await queue.database.query<{ name: string }>(
    `SELECT name FROM objects JOIN object_status USING (uid) WHERE engine->>'statusDetails' = 'fine'`,
  );
  const expected = claims.map(({ name }) => name).filter((name) => name !== 'lane-3' && name !== 'lane-5');
  expect(new Set(written.map(({ name }) => name))).toEqual(new Set(expected));
});

test('a lane that somebody else has locked holds no other up', async () => {
  const claims = await claimed();
  const slow = claims.find(({ name }) => name === 'lane-9');
  if (!slow) throw new Error('lane-9 was not claimed');
  let waited: Promise<unknown> = Promise.resolve();
  await queue.database.transaction(async (tx) => {
    await tx.query('SELECT id FROM lanes WHERE id = $1 FOR UPDATE', [slow.fence.laneId]);
    const complete = (claim: Claim) => queue.store.complete(claim, outcomeOf({ nextRunMs: HOUR_MS }));
    const others = claims.filter((claim) => claim !== slow).map(complete);
    waited = complete(slow);
    expect(await Promise.all(others)).toHaveLength(COUNT - 1);
  });
  expect(await waited).toEqual({ fenced: false, again: false });
});
