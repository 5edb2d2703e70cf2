import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import type { LedgerEntry, LedgerKey } from '@symphony/model';
import { FencedError, type Claim, type Fence } from '../../../src/modules/queue/index.js';
import { TargetGoneError } from '../../../src/modules/reconcile/index.js';
import { PostgresLedger } from '../../../src/modes/standalone/stores/runs/postgres-ledger.js';
import { claimAll, openQueue, type QueueFixture } from '../queue/support.js';

const COUNT = 40;

let queue: QueueFixture;
let ledger: PostgresLedger;
let targetUid: string;

beforeAll(async () => {
  queue = await openQueue('intents_together');
  ledger = new PostgresLedger(queue.database, queue.wakeups);
});
afterAll(() => queue.close());
beforeEach(async () => {
  await queue.clear();
  await queue.database.query('TRUNCATE ledger');
  const [row] = await queue.database.query<{ uid: string }>(`
    INSERT INTO objects (kind, namespace, name, labels, annotations, spec)
    VALUES ('Target', 'default', 'place', '{}', '{}', '{}') RETURNING uid`);
  targetUid = row?.uid ?? '';
});

/** Lanes that this worker runs. */
async function claimed(): Promise<Claim[]> {
  await queue.order(...Array.from({ length: COUNT }, (_, i) => ({ name: `app-${i}` })));
  await queue.store.register('worker', 60_000);
  const claims = await claimAll(queue, 'worker', COUNT);
  expect(claims).toHaveLength(COUNT);
  return claims;
}

const keyOf = (uid = targetUid): LedgerKey => ({
  targetUid: uid,
  component: 'web',
  role: 'instance',
  provider: 'providers.target.mock',
  bindingHash: 'b',
});

const intentOf = ({ name }: Claim, uid = targetUid): LedgerEntry => ({
  ...keyOf(uid),
  owner: { kind: 'Instance', namespace: 'default', name, uid: `uid of ${name}` },
  targetName: 'place',
  scope: 'default',
  binding: { role: 'instance', provider: 'providers.target.mock', config: {} },
  applied: { name: 'web', properties: { turn: 1 } },
  digest: '',
  state: 'intent',
  generation: '1',
  updatedAt: new Date(0).toISOString(),
});

const late = ({ fence }: Claim): Fence => ({ ...fence, epoch: fence.epoch - 1 });

const settle = (claim: Claim, fence: Fence, turn: number, digest: string): Promise<void> =>
  ledger.settle(fence, `uid of ${claim.name}`, [
    {
      kind: 'applied',
      key: keyOf(),
      applied: { name: 'web', properties: { turn } },
      digest,
      generation: '1',
    },
  ]);

async function statesOf(): Promise<Map<string, string>> {
  const rows = await queue.database.query<{ name: string; state: string }>(
    `SELECT owner_name AS name, state || ' ' || digest || ' ' || (applied->'properties'->>'turn') AS state FROM ledger`,
  );
  return new Map(rows.map(({ name, state }) => [name, state]));
}

/** Begins a step of each in the same moment. @returns what went wrong, by name */
async function beginAll(
  claims: readonly Claim[],
  begin: (claim: Claim) => Promise<void>,
): Promise<Map<string, unknown>> {
  const results = await Promise.allSettled(claims.map(begin));
  return new Map(
    results.flatMap((result, i) =>
      result.status === 'rejected' ? [[claims[i]?.name ?? '', result.reason as unknown]] : [],
    ),
  );
}

test('intents of one moment: the late one is fenced, one for a target that is gone is refused, the others stand', async () => {
  const claims = await claimed();
  const gone = '00000000-0000-4000-8000-000000000000';
  const errors = await beginAll(claims, (claim) => {
    if (claim.name === 'app-3') return ledger.begin(late(claim), [intentOf(claim)]);
    const more = claim.name === 'app-4' ? [intentOf(claim, gone)] : [];
    return ledger.begin(claim.fence, [intentOf(claim), ...more]);
  });
  expect([...errors.keys()].toSorted()).toEqual(['app-3', 'app-4']);
  expect(errors.get('app-3')).toBeInstanceOf(FencedError);
  expect(errors.get('app-4')).toBeInstanceOf(TargetGoneError);
  const stored = await statesOf();
  expect(stored.size).toBe(COUNT - 2);
  expect(stored.get('app-7')).toBe('intent  1');
});

test('an intent that cannot be stored fails alone', async () => {
  const errors = await beginAll(await claimed(), (claim) => {
    const scope = claim.name === 'app-5' ? 'no text for a database: \0' : 'default';
    return ledger.begin(claim.fence, [{ ...intentOf(claim), scope }]);
  });
  expect([...errors.keys()]).toEqual(['app-5']);
  expect((await statesOf()).size).toBe(COUNT - 1);
});

test('outcomes of one moment: the late one writes nothing; what was applied stays known while it is applied anew', async () => {
  const claims = await claimed();
  await Promise.all(claims.map((claim) => ledger.begin(claim.fence, [intentOf(claim)])));
  await Promise.all(claims.map((claim) => settle(claim, claim.fence, 1, 'first')));
  const again = (claim: Claim) => ({ ...intentOf(claim), applied: { name: 'web', properties: { turn: 2 } } });
  await Promise.all(claims.map((claim) => ledger.begin(claim.fence, [again(claim)])));
  expect((await statesOf()).get('app-7')).toBe('intent first 1');

  const results = await Promise.allSettled(
    claims.map((claim) => settle(claim, claim.name === 'app-3' ? late(claim) : claim.fence, 2, 'second')),
  );
  const refused = claims.filter((_, i) => results[i]?.status === 'rejected').map(({ name }) => name);
  expect(refused).toEqual(['app-3']);
  const stored = await statesOf();
  expect(stored.get('app-3')).toBe('intent first 1');
  expect(stored.get('app-7')).toBe('applied second 2');
});

test('a target or a lane that somebody else has locked holds no other up, and is waited for', async () => {
  const claims = await claimed();
  const slow = claims.find(({ name }) => name === 'app-9');
  if (!slow) throw new Error('app-9 was not claimed');
  let waits: Promise<unknown> = Promise.resolve();
  await queue.database.transaction(async (tx) => {
    await tx.query('SELECT id FROM lanes WHERE id = $1 FOR UPDATE', [slow.fence.laneId]);
    const others = claims.filter((claim) => claim !== slow);
    waits = ledger.begin(slow.fence, [intentOf(slow)]);
    await Promise.all(others.map((claim) => ledger.begin(claim.fence, [intentOf(claim)])));
  });
  await waits;
  expect((await statesOf()).size).toBe(COUNT);

  let refused: Promise<unknown> = Promise.resolve();
  await queue.database.transaction(async (tx) => {
    await tx.query('SELECT uid FROM objects WHERE uid = $1 FOR UPDATE', [targetUid]);
    refused = ledger.begin(slow.fence, [intentOf(slow)]).catch((error: unknown) => error);
    await tx.query('DELETE FROM objects WHERE uid = $1', [targetUid]);
  });
  expect(await refused).toBeInstanceOf(TargetGoneError);
});
