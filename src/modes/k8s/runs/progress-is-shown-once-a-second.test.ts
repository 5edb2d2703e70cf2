import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { ObjectStatus, SummarySpec } from '@symphony/model';
import { FencedError, type Claim } from '../../../modules/queue/index.js';
import type { Progress } from '../../../modules/reconcile/index.js';
import type { CustomObject } from '../objects/custom-object.js';
import { KubernetesProgress, type ProgressParts } from './progress.js';
import type { Addition, StatusChange } from './status-writer.js';

const EVERY_MS = 200;
/** Timers may be a little early by another clock. */
const NEARLY_MS = EVERY_MS - 20;

interface Written {
  name: string;
  progress: Addition['progress'];
  at: number;
}

function shown({ writeMs = 0 } = {}) {
  const written: Written[] = [];
  const lane = { held: true };
  const status = {
    changeOf: (_claim: Claim, object: CustomObject, _status: ObjectStatus, addition: Addition) =>
      ({ object, patch: { progress: addition.progress }, cut: false, cutNow: false }) satisfies StatusChange,
    write: async (_claim: Claim, { object, patch }: StatusChange) => {
      const progress = patch['progress'] as Addition['progress'];
      written.push({ name: object.metadata.name, progress, at: performance.now() });
      await pause(writeMs);
    },
  } as unknown as ProgressParts['status'];
  const progress = new KubernetesProgress({
    objectOf: ({ name }) => ({ metadata: { name, namespace: 'n', uid: `uid of ${name}` } }),
    status,
    log: { add: () => undefined } as unknown as ProgressParts['log'],
    assertFence: () => {
      if (!lane.held) throw new FencedError();
    },
    everyMs: EVERY_MS,
  });
  const tell = (name: string, done: number): Promise<void> =>
    progress.write({ kind: 'Instance', namespace: 'n', name } as Claim, said(done));
  return { progress, written, lane, tell, uidOf: (name: string) => `uid of ${name}` };
}

function said(done: number): Progress {
  return {
    status: { provisioningStatus: { operationId: 'run' } } as ObjectStatus,
    summaryKey: 'key',
    generation: '1',
    summary: { plannedDeployment: 9, currentDeployed: done } as SummarySpec,
  };
}

const gaps = (written: readonly Written[]): number[] =>
  written.slice(1).map(({ at }, i) => at - (written[i]?.at ?? 0));

test('the newest of what is told is written, at most once in that time, whatever runs follow each other', async () => {
  const { written, tell } = shown();
  for (let done = 0; done < 40; done++) {
    await tell('shop', done);
    await pause(20);
  }
  await expect
    .poll(() => written.at(-1)?.progress, { timeout: 30_000 })
    .toEqual({
      planned: 9,
      done: 39,
      run: 'run',
    });
  expect(written.length).toBeGreaterThan(2);
  for (const gap of gaps(written)) expect(gap).toBeGreaterThan(NEARLY_MS);
});

test('one object does not wait for another', async () => {
  const { written, tell } = shown();
  await Promise.all([tell('one', 1), tell('two', 1), tell('three', 1)]);
  expect(written.map(({ name }) => name)).toEqual(['one', 'two', 'three']);
});

test('after the end of a run nothing of it is written, and what was under way has been', async () => {
  const { written, tell, progress, uidOf } = shown({ writeMs: 100 });
  const first = tell('shop', 1);
  await pause(10);
  await tell('shop', 2);
  await progress.end(uidOf('shop'));
  const settled = await Promise.race([first.then(() => true), pause(0, false)]);
  expect(settled).toBe(true);
  await pause(2 * EVERY_MS);
  expect(written.map(({ progress: of }) => of?.done)).toEqual([1]);
});

test('what comes late of a run that has lost its lane is not written', async () => {
  const { written, tell, lane } = shown();
  await tell('shop', 1);
  await tell('shop', 2);
  lane.held = false;
  await pause(2 * EVERY_MS);
  expect(written).toHaveLength(1);
  await expect(tell('shop', 3)).rejects.toThrow(FencedError);
});
