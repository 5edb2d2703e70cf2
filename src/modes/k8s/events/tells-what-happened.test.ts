import { describe, expect, test } from 'vitest';
import { reason, type ReasonCode } from '@symphony/model';
import type { Cause, RunOutcome } from '../../../modules/queue/index.js';
import type { CustomObject } from '../objects/custom-object.js';
import { happeningsOf } from './run-happenings.js';

type Action = [component: string, kind: string, why: string, outcome?: string];

const OBJECT: CustomObject = { metadata: { name: 'shop', namespace: 'n', uid: 'u' } };
const CHANGED = { changed: true, cutNow: false };
const SAME = { changed: false, cutNow: false };

function outcome(
  result: RunOutcome['result'],
  code: ReasonCode,
  { actions = [], planned = actions.length }: { actions?: Action[]; planned?: number } = {},
): RunOutcome {
  const steps = [
    {
      target: 'edge',
      actions: actions.map(([component, kind, why, ended = 'ok']) => ({
        component,
        kind,
        reason: why,
        diff: [{ path: 'password', desired: 'hunter2' }],
        outcome: ended,
      })),
    },
  ];
  return {
    result,
    reason: reason(code),
    record: { steps } as RunOutcome['record'],
    summary: { summary: { plannedDeployment: planned } } as RunOutcome['summary'],
  };
}

function told(of: RunOutcome, more: { cause?: Cause; object?: CustomObject; told?: typeof SAME } = {}) {
  const { cause = 'person', object = OBJECT, told: what = CHANGED } = more;
  return happeningsOf({ cause }, object, of, what).map(
    ({ type, reason: word, note }) => `${type} ${word}: ${note}`,
  );
}

describe('a run that succeeded', () => {
  const create: Action = ['web', 'create', 'NotDeployed'];

  test.each<[string, RunOutcome, string[]]>([
    [
      'of all that is new',
      outcome('succeeded', 'Succeeded', { actions: [create] }),
      ['Normal Deployed: Created web on edge.'],
    ],
    [
      'of something new beside what was there',
      outcome('succeeded', 'Succeeded', { actions: [create], planned: 2 }),
      ['Normal Updated: Created web on edge.'],
    ],
    [
      'of several changes',
      outcome('succeeded', 'Succeeded', {
        actions: [
          create,
          ['db', 'update', 'SpecChanged'],
          ['old', 'delete', 'Removed'],
          ['more', 'update', 'SpecChanged'],
        ],
      }),
      ['Normal Updated: Created web on edge; updated db on edge, more on edge; removed old on edge.'],
    ],
    [
      'of what somebody took away',
      outcome('succeeded', 'Succeeded', {
        actions: [
          ['web', 'create', 'Missing'],
          ['db', 'update', 'Drifted'],
        ],
      }),
      ['Normal DriftRepaired: Created web on edge; updated db on edge.'],
    ],
    [
      'of an instance that is inactive',
      outcome('succeeded', 'Inactive', { actions: [['web', 'delete', 'Removed']] }),
      ['Normal Inactive: Removed web on edge.'],
    ],
  ])('%s', (_what, of, expected) => {
    expect(told(of)).toEqual(expected);
  });

  test('and found everything in place says so once, after something else was said', () => {
    const quiet = outcome('succeeded', 'Succeeded');
    const failing = { ...OBJECT, status: { status: 'Failed' as const, reason: 'TargetNotFound' } };
    const well = { ...OBJECT, status: { status: 'Succeeded' as const, reason: 'Succeeded' } };
    expect(told(quiet, { object: failing })).toEqual(['Normal Succeeded: Everything is as declared.']);
    expect(told(quiet, { object: well })).toEqual([]);
    expect(told({ ...quiet, record: undefined }, { cause: 'periodic', object: well, told: SAME })).toEqual(
      [],
    );
  });

  test('names ten, and counts the others', () => {
    const actions = [...Array(30).keys()].map((i): Action => [`c${i + 10}`, 'create', 'NotDeployed']);
    const [note = ''] = told(outcome('succeeded', 'Succeeded', { actions }));
    expect(note).toMatch(/^Normal Deployed: Created c10 on edge, .*c19 on edge and 20 more\.$/);
  });
});

test('no value of a component is in any of it', () => {
  const everything = (['succeeded', 'removed', 'retry', 'waiting', 'yielded'] as const).flatMap((result) =>
    told(outcome(result, 'ProviderFailed', { actions: [['web', 'update', 'SpecChanged']] })),
  );
  expect(everything.length).toBeGreaterThan(3);
  expect(everything.join()).not.toContain('hunter2');
});

test('what is not well is told with the words of the status', () => {
  const status = { statusDetails: 'web on edge: exit code 1.' } as RunOutcome['status'];
  expect(told({ ...outcome('retry', 'ProviderFailed'), status })).toEqual([
    'Warning ProviderFailed: web on edge: exit code 1.',
  ]);
  expect(told(outcome('waiting', 'SolutionNotFound'))).toEqual([
    `Warning SolutionNotFound: ${reason('SolutionNotFound').message}`,
  ]);
  // What only takes its time is nothing to worry about.
  expect(told(outcome('waiting', 'Pending'))[0]).toMatch(/^Normal Pending/);
});

test('what was removed is told, and of what had nothing nothing', () => {
  const gone = outcome('removed', 'Succeeded', { actions: [['web', 'delete', 'OwnerDeleting']] });
  expect(told(gone)).toEqual(['Normal Removed: Removed web on edge.']);
  expect(told(outcome('removed', 'Succeeded'))).toEqual([]);
});

test('what did not succeed is not told as done', () => {
  const actions: Action[] = [
    ['web', 'create', 'NotDeployed', 'failed'],
    ['db', 'keep', 'UpToDate'],
  ];
  expect(told(outcome('succeeded', 'Succeeded', { actions }), { told: SAME })).toEqual([]);
  expect(told(outcome('yielded', 'Superseded', { actions }))).toEqual([]);
});

test('that the status was cut is told when it begins', () => {
  const cut = { changed: true, cutNow: true };
  expect(told(outcome('waiting', 'Pending'), { told: cut }).at(-1)).toMatch(/^Normal StatusTruncated/);
});
