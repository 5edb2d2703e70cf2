import { reason, type ObjectStatus, type StatusWord } from '@symphony/model';
import { expect, test } from 'vitest';
import { sameStatus, statusOf } from './status.js';

const after = (word: StatusWord, previous?: ObjectStatus): ObjectStatus =>
  statusOf({ generation: 1, operationId: 'run', word, reason: reason('Succeeded'), previous, now: 'now' });

const numbersOf = ({ runningJobId, expectedRunningJobId }: ObjectStatus): unknown[] => [
  runningJobId,
  expectedRunningJobId,
];

test('a run that is under way is expected, and running when it has ended: then both numbers are the same', () => {
  const begun = after('Reconciling');
  expect(numbersOf(begun)).toEqual([undefined, 1]);
  expect(numbersOf(after('Reconciling', begun))).toEqual([undefined, 1]);
  const ended = after('Succeeded', begun);
  expect(numbersOf(ended)).toEqual([1, 1]);
  const next = after('Deleting', ended);
  expect(numbersOf(next)).toEqual([1, 2]);
  expect(numbersOf(after('Failed', next))).toEqual([2, 2]);
  expect(numbersOf(after('Succeeded', ended))).toEqual([2, 2]);
});

test('a number alone is nothing to write a status for', () => {
  const first = after('Succeeded');
  expect(sameStatus(first, after('Succeeded', first))).toBe(true);
});
