import { expect, test } from 'vitest';
import type { Claim, RunRecord } from '../../../modules/queue/index.js';
import { historyObject, type RunHistoryObject } from './history-object.js';
import { RunLog, type RunLogOptions } from './run-log.js';

const OWNER = { kind: 'Instance', namespace: 'n', name: 'shop', uid: 'u' } as const;

function run(id: string): RunRecord {
  return { id, objectUid: OWNER.uid, result: 'retry', reason: 'ProviderFailed' } as RunRecord;
}

/** Writes one run of an object, of which the server has another one, that this replica does not know of. */
async function write(picture: { follows: boolean }): Promise<{ reads: number; runs: string[] }> {
  let stored = historyObject(OWNER, { runs: [run('stored')] });
  let reads = 0;
  const log = new RunLog({
    client: {
      get: () => Promise.resolve((reads++, stored)),
      patch: (_type: unknown, _ref: unknown, { body }: { body: RunHistoryObject }) =>
        Promise.resolve((stored = body)),
    } as unknown as RunLogOptions['client'],
    cache: { byIndex: () => [], follows: () => picture.follows },
    objects: { of: () => ({ byUid: () => undefined, onChange: () => () => true }) },
    warn: (message) => expect.unreachable(message),
  });
  log.add(OWNER as unknown as Claim, OWNER.uid, { record: run('new') });
  await log.write(OWNER.uid);
  return { reads, runs: (stored.spec.runs ?? []).map(({ id }) => id) };
}

test('where the picture says nothing, as without rights, what is stored is read before it is written', async () => {
  expect(await write({ follows: false })).toEqual({ reads: 1, runs: ['new', 'stored'] });
});

test('where the picture shows that nothing is stored, nothing is read', async () => {
  expect(await write({ follows: true })).toMatchObject({ reads: 0 });
});
