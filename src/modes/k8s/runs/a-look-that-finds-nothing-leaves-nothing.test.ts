import { expect, test } from 'vitest';
import { reason, type ObjectStatus } from '@symphony/model';
import type { Cause, Claim, RunOutcome } from '../../../modules/queue/index.js';
import type { CustomObject } from '../objects/custom-object.js';
import { HandledOrders } from './handled-orders.js';
import { outcomeWriter, type OutcomeParts } from './outcomes.js';
import { MAX_STATUS_BYTES, statusDocument } from './status-document.js';
import { StatusWriter, type StatusWriterOptions } from './status-writer.js';

const AT = '2026-01-01T00:00:00.000Z';

/** More than is stored: problems on many targets. */
function large(operationId: string, lastModified = AT): ObjectStatus {
  const message = 'x'.repeat(900);
  const targetStatuses = Array.from({ length: 200 }, (_, i) => ({
    name: `target-${i}`,
    status: 'Failed',
    message,
    componentStatuses: [{ name: 'c', status: 'ProviderFailed', message }],
  }));
  return {
    provisioningStatus: { operationId, status: 'Succeeded', error: {} },
    status: 'Succeeded',
    reason: 'Succeeded',
    observedGeneration: 1,
    lastModified,
    deployed: 0,
    targets: 200,
    targetStatuses,
  };
}

/** An object whose status had to be cut, and what a run leaves behind for it. */
function place() {
  const remembered = { epoch: 1, deploymentHash: 'hash', orders: undefined };
  const status = JSON.parse(JSON.stringify(statusDocument(large('first'), remembered))) as object;
  const object: CustomObject = {
    metadata: { name: 'shop', namespace: 'n', uid: 'u', generation: 1 },
    status,
  };
  const left = { patches: 0, runs: 0, stored: 0 };
  const client = {
    patch: () => {
      left.patches += 1;
      return Promise.resolve(object);
    },
  } as unknown as StatusWriterOptions['client'];
  const parts = {
    objectOf: () => object,
    status: new StatusWriter({
      client,
      seen: () => undefined,
      refused: () => undefined,
      edits: { ours: async (_uid, write) => void (await write()) },
    }),
    orders: new HandledOrders(),
    log: { add: () => void left.runs++, write: () => Promise.resolve(void left.stored++) },
    endProgress: () => Promise.resolve(),
    tell: () => undefined,
  } as unknown as OutcomeParts;
  const write = (cause: Cause, of: ObjectStatus): Promise<boolean> => {
    const claim = { kind: 'Instance', fence: { laneId: '1', epoch: 2 }, cause, claimedAt: AT } as Claim;
    const outcome = {
      result: 'succeeded',
      reason: reason('Succeeded'),
      deploymentHash: 'hash',
      status: of,
      record: { objectUid: 'u', steps: [] as unknown[] },
    } as RunOutcome;
    return outcomeWriter(parts)(claim, outcome, AbortSignal.timeout(60_000));
  };
  return { write, left, status };
}

test('also where the status did not fit: no status and no history, however often it is looked', async () => {
  const { write, left, status } = place();
  expect(status).toMatchObject({ truncated: true });
  expect(JSON.stringify(large('first')).length).toBeGreaterThan(MAX_STATUS_BYTES);
  for (let i = 0; i < 3; i++) await write('periodic', large(`look ${i}`, `2026-01-0${i + 2}T00:00:00.000Z`));
  expect(left).toEqual({ patches: 0, runs: 0, stored: 0 });
});

test('what is different is written, with its run', async () => {
  const { write, left } = place();
  await write('periodic', { ...large('look'), deployed: 12 });
  expect(left).toMatchObject({ patches: 1, runs: 1 });
});

test('whoever asked for a look finds it in the history', async () => {
  const { write, left } = place();
  await write('person', large('asked'));
  expect(left).toMatchObject({ patches: 0, runs: 1 });
});

test('what a status leaves out is stored with its run, also of what is well; what says all costs no such write', async () => {
  const cut = place();
  await cut.write('dependent', { ...large('change'), deployed: 12 });
  expect(cut.left).toEqual({ patches: 1, runs: 1, stored: 1 });
  const whole = place();
  await whole.write('dependent', { ...large('change'), targetStatuses: [] });
  expect(whole.left).toEqual({ patches: 1, runs: 1, stored: 0 });
});
