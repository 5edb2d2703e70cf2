import { expect, onTestFinished, test, vi } from 'vitest';
import type { Term } from '../leadership/index.js';
import { Operator, type OperatorParts } from './operator.js';
import type { LateNamespace } from './reach.js';

const OWNER = { kind: 'Instance', namespace: 'shop', name: 'web', uid: 'u' };

/** A replica that leads one term after the other, and looks in each for the owner of one ledger, if that is in reach. */
function replica(survey: OperatorParts['reach']['survey'] = () => Promise.resolve([])) {
  let epoch = 0;
  let over = new AbortController();
  let listener: (term: Term | undefined) => void = () => undefined;
  const asked: ((error: Error) => void)[] = [];
  const warnings: object[] = [];
  const nothing = (): void => undefined;
  const reach = { survey, has: () => true, namespaces: ['shop'] };
  const known = { byUid: () => undefined, onChange: () => nothing };
  const operator = new Operator({
    client: { get: () => new Promise((_resolve, reject) => asked.push(reject)) },
    objects: { of: () => known, all: () => [] },
    lanes: { lead: nothing, drop: nothing, take: () => Promise.resolve() },
    ledgers: { onChange: () => nothing, list: () => [{ spec: { owner: OWNER } }], byIndex: () => [] },
    ledger: { setInCharge: nothing },
    health: { clear: nothing },
    leadership: {
      get isLeader() {
        return epoch > 0;
      },
      get epoch() {
        return epoch || undefined;
      },
      onChange: (told: typeof listener) => {
        listener = told;
        return nothing;
      },
    },
    reach,
    log: { log: nothing, warn: (message: object) => warnings.push(message) },
  } as unknown as OperatorParts);
  operator.start();
  onTestFinished(() => operator.stop());
  const lead = (): void => {
    if (epoch > 0) listener(undefined);
    over.abort();
    const { signal } = (over = new AbortController());
    listener({ epoch: ++epoch, signal, isLive: () => !signal.aborted });
  };
  return { asked, warnings, reach, lead };
}

const POLL = { timeout: 30_000 };
const AGAIN = { msg: 'It is tried again', error: 'no' };

test('what failed is tried again in its own term', async () => {
  const { asked, warnings, lead } = replica();
  lead();
  await vi.waitFor(() => expect(asked).toHaveLength(1), POLL);
  asked[0]?.(new Error('no'));
  await vi.waitFor(() => expect(warnings).toEqual([AGAIN]), POLL);
});

test('what fails when another term has begun is not: that may have begun without its namespace', async () => {
  const { asked, warnings, reach, lead } = replica();
  lead();
  await vi.waitFor(() => expect(asked).toHaveLength(1), POLL);
  reach.namespaces = ['shop', 'other'];
  lead();
  await vi.waitFor(() => expect(asked.length).toBeGreaterThan(1), POLL);
  asked[0]?.(new Error('of the former term'));
  asked[1]?.(new Error('no'));
  await vi.waitFor(() => expect(warnings).toContainEqual(AGAIN), POLL);
  expect(warnings).not.toContainEqual({ ...AGAIN, error: 'of the former term' });
});

test('the log says which namespaces keep a term from beginning, and why', async () => {
  const late: LateNamespace[] = [
    { namespace: 'shop', problem: 'status 500' },
    { namespace: 'other', problem: undefined },
  ];
  const { warnings, lead } = replica((_signal, tell) => {
    tell?.(late);
    tell?.(late);
    return new Promise(() => undefined);
  });
  lead();
  expect(warnings).toMatchObject([
    { namespaces: [late[0], { namespace: 'other', problem: 'no answer yet' }] },
  ]);
});
