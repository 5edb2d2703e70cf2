import { AccessError, ConflictError, NotFoundError, type DeployableKind } from '@symphony/model';
import { expect, test } from 'vitest';
import type { Claim, RunRecord, SummaryWrite } from '../../../modules/queue/index.js';
import type { CustomObject } from '../objects/custom-object.js';
import type { ChangeHandler } from '../reflector/index.js';
import { RunLog, type RunLogOptions } from './run-log.js';

type Instance = CustomObject<DeployableKind>;

const terminating = new ConflictError('The namespace is being deleted', 'NamespaceTerminating');

/** A log whose writes are refused, of instances that stand and go. */
function place(refusal: Error = terminating) {
  const standing = new Map<string, Instance>();
  const handlers: ChangeHandler<Instance>[] = [];
  const warnings: unknown[] = [];
  const server: { refusal: Error | undefined; writes: number; meanwhile: () => void } = {
    refusal,
    writes: 0,
    meanwhile: () => undefined,
  };
  const log = new RunLog({
    client: {
      get: () => Promise.reject(new NotFoundError('it is not stored')),
      patch: () => {
        server.writes += 1;
        server.meanwhile();
        return server.refusal ? Promise.reject(server.refusal) : Promise.resolve({});
      },
    } as unknown as RunLogOptions['client'],
    cache: { byIndex: () => [], follows: () => true },
    objects: {
      of: (kind) => ({
        byUid: (uid) => (kind === 'Instance' ? standing.get(uid) : undefined),
        onChange: (handler) => {
          if (kind === 'Instance') handlers.push(handler);
          return () => true;
        },
      }),
    },
    warn: (_message, error) => warnings.push(error),
  });
  const stand = (uid: string): void =>
    void standing.set(uid, { metadata: { name: 'shop', namespace: 'n', uid } });
  const go = (uid: string): void => {
    const before = standing.get(uid);
    standing.delete(uid);
    const key = { kind: 'Instance', namespace: 'n', name: 'shop', uid };
    for (const handler of handlers) handler({ key, before, after: undefined });
  };
  const ran = (uid: string, result: RunRecord['result'] = 'retry', more: Partial<Claim> = {}): void => {
    const claim = { kind: 'Instance', namespace: 'n', name: 'shop', ...more } as Claim;
    const record = { id: `${uid}-${result}-${Math.random()}`, objectUid: uid, result } as RunRecord;
    const summary = { key: 'shop', generation: '1', summary: { removed: result === 'removed' } };
    log.add(claim, uid, { record, summary: summary as SummaryWrite });
  };
  /** What is known of it, whoever asks. */
  const known = async (uid: string) => ({
    runs: (await log.runsOf(uid)).length,
    summary: (await log.summaryOf('n', 'shop')) !== undefined,
  });
  return { log, server, warnings, stand, go, ran, known };
}

const NOTHING = { runs: 0, summary: false };

test.each([
  ['is being deleted', terminating],
  ['has gone', new NotFoundError('namespaces "n" not found', 'NamespaceNotFound')],
])(
  'while its object stands in a namespace that %s all can be asked for, then nothing is kept',
  async (_how, no) => {
    const { log, stand, go, ran, known, warnings } = place(no);
    stand('u');
    ran('u');
    await log.write('u');
    expect(await known('u')).toEqual({ runs: 1, summary: true });
    ran('u', 'removed');
    expect(await known('u')).toEqual({ runs: 2, summary: true });
    go('u');
    expect(await known('u')).toEqual(NOTHING);
    expect(warnings).toEqual([]);
  },
);

test('an object that went before that was known is forgotten as soon as it is', async () => {
  const { log, stand, go, ran, known } = place();
  stand('u');
  ran('u');
  go('u');
  expect(await known('u')).toEqual({ runs: 0, summary: true });
  await log.write('u');
  expect(await known('u')).toEqual(NOTHING);
});

test('a posted deployment is told from its record, and no longer from here', async () => {
  const { log, ran, known } = place();
  ran('u', 'retry', { payload: { deployment: {}, jobId: '1' } });
  await log.write('u');
  expect(await known('u')).toEqual(NOTHING);
});

test('what is refused for another reason is kept, and written when it can be', async () => {
  const { log, server, stand, ran, known, warnings } = place(new AccessError(403, 'no', 'QuotaExceeded'));
  stand('u');
  ran('u');
  await log.write('u');
  expect(await known('u')).toEqual({ runs: 1, summary: true });
  expect(warnings).toEqual([server.refusal]);
  server.refusal = undefined;
  await log.write('u');
  expect(server.writes).toBe(2);
  expect(await known('u')).toEqual(NOTHING);
});

test('of what was removed it can be asked how that ended, and its runs are not kept', async () => {
  const { stand, go, ran, known, server } = place();
  stand('u');
  ran('u', 'succeeded');
  ran('u', 'removed');
  go('u');
  expect(await known('u')).toEqual({ runs: 0, summary: true });
  expect(server.writes).toBe(0);
});

test('an object that goes while its runs are written is forgotten with them, but how its removal ended is not', async () => {
  const { log, server, stand, go, ran, known } = place();
  server.refusal = undefined;
  stand('u');
  ran('u');
  server.meanwhile = () => go('u');
  await log.write('u');
  expect(await known('u')).toEqual(NOTHING);

  stand('v');
  ran('v');
  server.meanwhile = () => {
    ran('v', 'removed');
    go('v');
  };
  await log.write('v');
  expect(await known('v')).toEqual({ runs: 0, summary: true });
});

test('what is made anew under the name keeps its own when the one before is forgotten', async () => {
  const { log, stand, go, ran, known } = place();
  stand('old');
  ran('old');
  go('old');
  stand('new');
  ran('new');
  await log.write('old');
  expect(await known('new')).toEqual({ runs: 1, summary: true });
});

test('of an object that fails again and again in such a namespace the newest fifty runs are kept', async () => {
  const { log, stand, ran, known } = place();
  stand('u');
  for (let turn = 0; turn < 60; turn++) ran('u');
  await log.write('u');
  expect(await known('u')).toEqual({ runs: 50, summary: true });
});
