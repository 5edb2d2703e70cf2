import { InvalidInputError } from '@symphony/model';
import { expect, test } from 'vitest';
import { FencedError, type Claim, type RunOutcome } from '../../modules/queue/index.js';
import { Inbox, type InboxOptions } from './inbox.js';
import { epochOf } from './lanes/lane.js';
import type { RefusedRecord } from './leadership/index.js';
import { postedAgain, type PostedObject } from './posted/posted-object.js';

const SUCCEEDED: RunOutcome = { result: 'succeeded', reason: { code: 'Succeeded', message: '' } };

function record(name: string, epoch: number): PostedObject {
  const key = { kind: 'Instance', namespace: 'n', name, generation: 1 } as const;
  const payload = { deployment: {}, jobId: '1' };
  const { metadata, spec } = postedAgain(
    undefined,
    { ...key, action: 'update', cause: 'person', payload },
    '{}',
  );
  return { metadata: { ...metadata, uid: `uid-${name}`, resourceVersion: '1' }, spec: { ...spec, epoch } };
}

/** What a replica takes in, of a server whose records refuse each write with that problem. */
function place(problem: string) {
  const looks: RefusedRecord[] = [];
  const inbox = new Inbox({
    client: {
      replace: () => Promise.reject(new InvalidInputError('no', [{ path: problem, message: 'no' }])),
      get: () => Promise.resolve(record('shop', epochOf(9, 1))),
    },
    ledger: { entriesOf: () => Promise.resolve([]) },
    lanes: () => ({ assertFence: () => undefined }),
    refused: { look: (refused: RefusedRecord) => Promise.resolve(void looks.push(refused)) },
    log: { warn: () => undefined },
  } as Partial<Record<keyof InboxOptions, unknown>> as InboxOptions);
  const ended = (): Promise<boolean> => {
    const claim = { kind: 'Instance', namespace: 'n', name: 'shop', attempts: 0 } as const;
    const payload = { deployment: {}, jobId: '1', seq: 1 };
    const fence = { laneId: '1', epoch: epochOf(1, 3) };
    const write = inbox.writer(() => Promise.resolve(false));
    return write({ ...claim, payload, fence } as unknown as Claim, SUCCEEDED, AbortSignal.timeout(10_000));
  };
  return { inbox, looks, ended };
}

test('the terms of records are known, but for those that nobody can have led', () => {
  const { inbox } = place('');
  expect(inbox.knownTerm).toBe(0);
  inbox.posted.seen(record('new', 0));
  inbox.posted.seen(record('shop', epochOf(9, 1)));
  inbox.posted.seen(record('late', epochOf(3, 5)));
  inbox.posted.seen(record('made-up', Number.MAX_SAFE_INTEGER));
  expect(inbox.knownTerm).toBe(9);
});

test('a record that refuses an outcome because of its epoch is looked at, and the run is over', async () => {
  const { looks, ended } = place('spec.epoch');
  await expect(ended()).rejects.toThrow(FencedError);
  expect(looks).toMatchObject([{ what: expect.stringMatching(/^PostedDeployment\/n\/shop\./), term: 1 }]);
  expect(await looks[0]?.stored()).toBe(9);
  // The engine's own, like a ledger: nothing is taken away from it.
  expect(looks[0]).not.toHaveProperty('correct');
});

test('what is refused for another reason is tried again, and nothing is looked at', async () => {
  const { looks, ended } = place('spec.last.result');
  await expect(ended()).rejects.toThrow(InvalidInputError);
  expect(looks).toEqual([]);
});
