import { expect, test } from 'vitest';
import type { ObjectStatus } from '@symphony/model';
import { OrderAnnotation, type CustomObject } from '../objects/custom-object.js';
import { actorOf, HandledOrders, markOf, openOrders } from './handled-orders.js';
import { statusDocument } from './status-document.js';

const STATUS: ObjectStatus = {
  provisioningStatus: { operationId: 'run', status: 'Succeeded', error: {} },
  status: 'Succeeded',
  reason: 'Succeeded',
  observedGeneration: 1,
  lastModified: '2026-01-01T00:00:00Z',
  deployed: 0,
  targets: 0,
};

function asked(request: string, status: CustomObject['status'] = {}): CustomObject {
  const annotations = { [OrderAnnotation.Reconcile]: request };
  return { metadata: { name: 'o', namespace: 'n', uid: 'u', annotations }, status };
}

/** The status that a run leaves on an object, as it is stored. */
function afterRun(object: CustomObject): CustomObject['status'] {
  const orders = new HandledOrders();
  orders.read(object);
  const remembered = { epoch: 1, deploymentHash: undefined, orders: orders.handledBy('u', 'succeeded') };
  return JSON.parse(JSON.stringify(statusDocument(STATUS, remembered))) as CustomObject['status'];
}

test.each([
  ['short', '1'],
  ['of usual length', `0b6f2ad6-91d7-4a3c-8d0e-1d3c6c9a2f10/${'a'.repeat(338)}`],
  ['at the limit of marks', 'x'.repeat(512)],
  ['beyond it', 'x'.repeat(513)],
  ['as long as an annotation may be', 'ü'.repeat(125 * 1024)],
])('an order %s is open until a run has handled it, and a new one is open again', (_what, request) => {
  const object = asked(request);
  expect(openOrders(object)).toEqual(new Map([[OrderAnnotation.Reconcile, request]]));
  const status = afterRun(object);
  expect(openOrders(asked(request, status)).size).toBe(0);
  expect(openOrders(asked(`${request}!`, status)).size).toBe(1);
  // Another run that was not asked for keeps the mark as it is.
  expect(
    statusDocument(STATUS, { epoch: 1, deploymentHash: undefined, orders: status?.orders }),
  ).toMatchObject({
    orders: status?.orders,
  });
});

test('what an earlier version has marked by its whole value is not carried out again', () => {
  const request = 'x'.repeat(10_000);
  const orders = [{ order: OrderAnnotation.Reconcile, request, handledAt: '2026-01-01T00:00:00Z' }];
  expect(openOrders(asked(request, { orders })).size).toBe(0);
});

test('a mark that was edited by hand leaves the order open and breaks nothing', () => {
  const orders = JSON.parse(`[{"order":"${OrderAnnotation.Reconcile}"}]`) as ObjectOrders;
  const object = asked('again', { orders });
  expect(openOrders(object).size).toBe(1);
  expect(openOrders(asked('again', afterRun(object))).size).toBe(0);
  expect(statusDocument(STATUS, { epoch: 1, deploymentHash: undefined, orders }).orders).toHaveLength(1);
});

test('a mark is bounded, and so is the name of who asked', () => {
  const request = `id/${'x'.repeat(250 * 1024)}`;
  expect(markOf(request).length).toBeLessThanOrEqual(512);
  expect(markOf(markOf(request))).toBe(markOf(request));
  expect(actorOf(request)).toBeUndefined();
  expect(actorOf('id/alice')).toBe('alice');
});

type ObjectOrders = NonNullable<CustomObject['status']>['orders'];
