import { afterAll, beforeAll } from 'vitest';
import { PostgresLedger } from '../../../src/modes/standalone/stores/runs/postgres-ledger.js';
import { ledgerConformance, type LedgerRun } from '../../support/ledger-conformance.js';
import { openQueue, type QueueFixture } from '../queue/support.js';

let queue: QueueFixture;
beforeAll(async () => {
  queue = await openQueue('ledger_conformance');
});
afterAll(() => queue.close());

const WORKERS = ['first', 'second'] as const;

ledgerConformance(async () => {
  await queue.clear();
  await queue.database.query('TRUNCATE ledger');
  for (const worker of WORKERS) await queue.store.register(worker, 600_000);

  const stored = async (kind: string, name: string): Promise<string> => {
    const [row] = await queue.database.query<{ uid: string }>(
      `INSERT INTO objects (kind, namespace, name, labels, annotations, spec)
       VALUES ($1, 'default', $2, '{}', '{}', '{}') RETURNING uid`,
      [kind, name],
    );
    return row?.uid ?? '';
  };
  const claimedBy = async (
    worker: (typeof WORKERS)[number],
    { owner }: Pick<LedgerRun, 'owner'>,
  ): Promise<LedgerRun> => {
    await queue.database.query('UPDATE lanes SET worker = NULL, due_at = NULL WHERE name = $1', [owner.name]);
    await queue.order({ name: owner.name });
    const claims = await queue.store.claim({ worker, limit: 1, periodic: true });
    const claim = claims.find(({ name }) => name === owner.name);
    if (!claim) throw new Error(`${owner.name} was not claimed`);
    return { owner, fence: claim.fence, ledger: new PostgresLedger(queue.database, queue.wakeups) };
  };
  return {
    target: async (name) => ({ uid: await stored('Target', name), name }),
    claim: async (name) => {
      const uid = await stored('Instance', name);
      return claimedBy('first', { owner: { kind: 'Instance', namespace: 'default', name, uid } });
    },
    takeOver: (run) => claimedBy('second', run),
    claimAgain: (run) => claimedBy('first', run),
  };
});
