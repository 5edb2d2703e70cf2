import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { AccessError, ConflictError, NotFoundError } from '@symphony/model';
import type { ApiClient } from '../client/index.js';
import { EventRecorder, type EventLimits, type EventResult } from './event-recorder.js';
import type { Happening, KubeEvent, Regarding } from './kube-event.js';

const SOON = { timeout: 30_000, interval: 5 };

const about = (name: string, namespace = 'n'): Regarding => ({
  apiVersion: 'solution.symphony/v1',
  kind: 'Instance',
  namespace,
  name,
  uid: `uid of ${name}`,
});
const failed = (note: string, reason = 'ProviderFailed'): Happening => ({
  type: 'Warning',
  reason,
  action: 'Reconcile',
  note,
});
const went = (note: string): Happening => ({ type: 'Normal', reason: 'Updated', action: 'Reconcile', note });

/** A server that keeps what it is sent, or refuses it; and a clock that is set by hand. */
function recorder(limits: Partial<EventLimits> = {}) {
  const created: KubeEvent[] = [];
  const patches: { name: string; count: number }[] = [];
  const results: Record<EventResult, number> = { created: 0, series: 0, dropped: 0 };
  const server: { refuses: Error | undefined; now: number } = { refuses: undefined, now: 0 };
  const client = {
    create: (_type: unknown, event: KubeEvent) => {
      if (server.refuses) return Promise.reject(server.refuses);
      created.push(event);
      return Promise.resolve(event);
    },
    patch: (_type: unknown, { name }: { name: string }, { body }: { body: Pick<KubeEvent, 'series'> }) => {
      if (server.refuses) return Promise.reject(server.refuses);
      patches.push({ name, count: body.series?.count ?? 0 });
      return Promise.resolve({});
    },
  } as unknown as Pick<ApiClient, 'create' | 'patch'>;
  const events = new EventRecorder({
    client,
    instance: 'pod_1_0',
    count: (result) => void results[result]++,
    log: { debug: () => undefined },
    limits: { seriesEveryMs: 50, ...limits },
    now: () => server.now,
  });
  onTestFinished(() => events.stop());
  return { events, created, patches, results, server };
}

test('the same again is one event with a count, patched once in a while', async () => {
  const { events, created, patches, results, server } = recorder();
  for (let i = 0; i < 100; i++) events.record(about('shop'), failed('It broke.'));
  await expect.poll(() => patches, SOON).toHaveLength(1);
  expect(created).toHaveLength(1);
  expect(patches).toEqual([{ name: created[0]?.metadata.name, count: 100 }]);
  server.now += 1_000;
  events.record(about('shop'), failed('It broke.'));
  await expect.poll(() => patches, SOON).toHaveLength(2);
  expect(patches.at(-1)?.count).toBe(101);
  expect(results).toEqual({ created: 1, series: 100, dropped: 0 });
});

test('what is new is told, until the object has used up its share; then it counts in the series', async () => {
  const { events, created, patches, server } = recorder({ perObject: { burst: 3, perSecond: 1 } });
  for (let i = 0; i < 50; i++) events.record(about('shop'), failed(`It broke at ${i}.`));
  await expect.poll(() => patches, SOON).toHaveLength(1);
  expect(created.map(({ note }) => note)).toEqual(['It broke at 0.', 'It broke at 1.', 'It broke at 2.']);
  expect(patches[0]).toEqual({ name: created[2]?.metadata.name, count: 48 });
  // Another object has a share of its own, and this one has a new one in time.
  events.record(about('other'), failed('It broke.'));
  server.now += 1_000;
  events.record(about('shop'), failed('It broke in another way.'));
  await expect.poll(() => created, SOON).toHaveLength(5);
});

test('all together they send no more than their share, of which a part is for warnings', async () => {
  const { events, created, results, server } = recorder({ total: { burst: 10, perSecond: 2 } });
  for (let i = 0; i < 100; i++) events.record(about(`good ${i}`), went('Updated web on edge.'));
  for (let i = 0; i < 100; i++) events.record(about(`bad ${i}`), failed('It broke.'));
  await expect.poll(() => created, SOON).toHaveLength(10);
  expect(created.filter(({ type }) => type === 'Warning')).toHaveLength(2);
  expect(results).toEqual({ created: 10, series: 0, dropped: 190 });
  server.now += 2_000;
  for (let i = 0; i < 100; i++) events.record(about(`worse ${i}`), failed('It broke.'));
  await expect.poll(() => created, SOON).toHaveLength(14);
});

test.each([
  ['a right', new AccessError(403, 'no')],
  ['quota', new AccessError(403, 'no', 'QuotaExceeded')],
  ['a future', new ConflictError('no', 'NamespaceTerminating')],
  ['existence', new NotFoundError('no', 'NamespaceNotFound')],
])('a namespace without %s is left alone for a while, and no other one', async (_what, error) => {
  const { events, created, results, server } = recorder({ muteMs: 1_000 });
  server.refuses = error;
  events.record(about('shop'), failed('It broke.'));
  await expect.poll(() => results.dropped, SOON).toBe(1);
  server.refuses = undefined;
  events.record(about('shop'), failed('It broke.'));
  events.record(about('other'), failed('It broke.'));
  expect(results.dropped).toBe(3);
  events.record(about('elsewhere', 'm'), failed('It broke.'));
  await expect.poll(() => created, SOON).toHaveLength(1);
  server.now += 1_001;
  events.record(about('shop'), failed('It broke.'));
  await expect.poll(() => created, SOON).toHaveLength(2);
});

test('what the server has lost is an event again with what happens next', async () => {
  const { events, created, patches, results, server } = recorder();
  events.record(about('shop'), failed('It broke.'));
  await expect.poll(() => created, SOON).toHaveLength(1);
  server.refuses = new NotFoundError('expired');
  events.record(about('shop'), failed('It broke.'));
  await pause(100);
  server.refuses = undefined;
  events.record(about('shop'), failed('It broke.'));
  await expect.poll(() => created, SOON).toHaveLength(2);
  expect(patches).toEqual([]);
  expect(results).toEqual({ created: 2, series: 1, dropped: 0 });
});

test('a series that has ended long ago is not gone on with', async () => {
  const { events, created, server } = recorder({ seriesEndsMs: 10_000 });
  events.record(about('shop'), failed('It broke.'));
  server.now += 10_001;
  events.record(about('shop'), failed('It broke.'));
  await expect.poll(() => created, SOON).toHaveLength(2);
});

test('after the end nothing is sent, and whoever leads no more goes on with no series', async () => {
  const { events, created, patches } = recorder();
  events.record(about('shop'), failed('It broke.'));
  events.record(about('shop'), failed('It broke.'));
  events.clear();
  await pause(150);
  expect(patches).toEqual([]);
  events.stop();
  events.record(about('other'), failed('It broke.'));
  await pause(50);
  expect(created).toHaveLength(1);
});

test('it is as the server wants it, whatever the object is called and the note says', async () => {
  const { events, created } = recorder();
  events.record(about(`a.${'x'.repeat(251)}`), failed('ü'.repeat(5_000)));
  await expect.poll(() => created, SOON).toHaveLength(1);
  const [event] = created;
  expect(event?.metadata.name).toMatch(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/);
  expect(event?.metadata.name.length).toBeLessThanOrEqual(253);
  expect(event?.note.length).toBe(1_024);
  expect(event?.eventTime).toMatch(/\.\d{6}Z$/);
});
