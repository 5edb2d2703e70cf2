import type { ObjectStatus } from '@symphony/model';
import { expect, test } from 'vitest';
import type { ResourceStatus } from '../crds/index.js';
import { OrderAnnotation, toStored } from '../objects/custom-object.js';
import { MAX_STATUS_BYTES, mergePatchOf, statusChange, statusDocument } from './status-document.js';

const REMEMBERED = { epoch: 7, deploymentHash: 'hash', orders: undefined };

function status(targets: number, componentsEach: number, message: string): ObjectStatus {
  const component = (name: string, state: string) => ({ name, status: state, message });
  const list = Array.from({ length: targets }, (_, target) => ({
    name: `target-${target}`,
    status: target % 2 === 0 ? 'Failed' : 'OK',
    componentStatuses: Array.from({ length: componentsEach }, (__, n) =>
      component(`c-${n}`, target % 2 === 0 && n % 2 === 0 ? 'ProviderFailed' : 'OK'),
    ),
  }));
  const details = list
    .filter((target) => target.status !== 'OK')
    .map(({ name }) => ({ code: 'ProviderFailed', message, target: name, details: [] }));
  return {
    provisioningStatus: { operationId: 'run', status: 'Failed', error: { code: 'ProviderFailed', details } },
    status: 'Failed',
    reason: 'ProviderFailed',
    observedGeneration: 3,
    lastModified: '2026-01-01T00:00:00Z',
    deployed: targets * componentsEach,
    targets,
    targetStatuses: list,
  };
}

const bytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value));

test('a status of usual size is stored whole, with what the engine has to remember', () => {
  const whole = status(2, 2, 'no');
  const document = statusDocument(whole, REMEMBERED);
  expect(document).toEqual({ ...whole, generation: 3, epoch: 7, deploymentHash: 'hash' });
});

test('one that is too large leaves out what is well, keeps the counts, and says so', () => {
  const document = statusDocument(status(100, 60, 'x'.repeat(60)), REMEMBERED);
  expect(bytes(document)).toBeLessThanOrEqual(MAX_STATUS_BYTES);
  expect(document).toMatchObject({ truncated: true, targets: 100, deployed: 6000 });
  const states = (document.targetStatuses ?? []).flatMap((target) =>
    (target.componentStatuses ?? []).map((component) => component.status),
  );
  expect(new Set(states)).toEqual(new Set(['ProviderFailed']));
});

test('problems that do not fit either are cut, however large a single one is', () => {
  for (const document of [
    statusDocument(status(1_000, 20, 'ü'.repeat(1_000)), REMEMBERED),
    statusDocument(status(2, 4, 'y'.repeat(MAX_STATUS_BYTES)), REMEMBERED),
  ]) {
    expect(bytes(document)).toBeLessThanOrEqual(MAX_STATUS_BYTES);
    expect(document).toMatchObject({ truncated: true, status: 'Failed', reason: 'ProviderFailed' });
  }
});

/** One target with many failing components, some of them before and some after one that is well. */
function oneTarget(failing: number, message: string): ObjectStatus {
  const names = Array.from({ length: failing }, (_, n) => `c-${n}`);
  const componentStatuses = names.flatMap((name) => [
    { name: `well-${name}`, status: 'OK' },
    { name, status: 'ProviderFailed', message },
  ]);
  const details = names.map((target) => ({ code: 'ProviderFailed', message, target }));
  const error = {
    code: 'ProviderFailed',
    details: [{ code: 'ProviderFailed', message, target: 'target', details }],
  };
  return {
    ...status(0, 0, ''),
    provisioningStatus: { operationId: 'run', status: 'Failed', error },
    targetStatuses: [{ name: 'target', status: 'Failed', componentStatuses }],
  };
}

test.each([
  ['1 200 failing components', 1_200, 'x'.repeat(150)],
  ['130 failing components with long messages', 130, 'x'.repeat(1_000)],
])('of one target with %s those are shown that fit', (_what, failing, message) => {
  const document = statusDocument(oneTarget(failing, message), REMEMBERED);
  expect(bytes(document)).toBeLessThanOrEqual(MAX_STATUS_BYTES);
  expect(document.truncated).toBe(true);
  const listed = document.targetStatuses?.[0]?.componentStatuses ?? [];
  const told = document.provisioningStatus?.error?.details?.[0]?.details ?? [];
  // By halves, so never less than half of what there is room for.
  expect(bytes(document)).toBeGreaterThan(MAX_STATUS_BYTES / 3);
  expect(listed.map(({ name }) => name)).toEqual(told.map(({ target }) => target));
  expect(new Set(listed.map((component) => component.status))).toEqual(new Set(['ProviderFailed']));
});

test('every target that failed keeps a problem as long as that fits, however many one of them has', () => {
  const many = oneTarget(1_200, 'x'.repeat(150));
  const others = status(40, 2, 'no');
  const document = statusDocument(
    { ...many, targetStatuses: [...(many.targetStatuses ?? []), ...(others.targetStatuses ?? [])] },
    REMEMBERED,
  );
  expect(bytes(document)).toBeLessThanOrEqual(MAX_STATUS_BYTES);
  expect(document.targetStatuses).toHaveLength(21);
  for (const { componentStatuses } of document.targetStatuses ?? [])
    expect(componentStatuses).not.toEqual([]);
});

test('what was left out before it came here stays said', () => {
  const document = statusDocument({ ...status(1, 1, 'no'), truncated: true }, REMEMBERED);
  expect(document.truncated).toBe(true);
  // Also of a status that is read, and written again as it is.
  const object = { metadata: { name: 'o', uid: 'u', namespace: 'n' }, status: stored(document) };
  const { engine } = toStored('Instance', object).status;
  expect(engine).toBeDefined();
  if (engine) expect(statusChange(document, statusDocument(engine, REMEMBERED))).toBeUndefined();
});

test('the epoch has its room as well, and nothing but its own number depends on it', () => {
  const of = status(4, 2, 'no');
  const low = { ...REMEMBERED, epoch: 0 };
  const room = MAX_STATUS_BYTES - bytes(statusDocument({ ...of, statusDetails: '' }, low));
  for (let spare = 0; spare <= 20; spare++) {
    const full = { ...of, statusDetails: 'd'.repeat(room - spare) };
    const high = statusDocument(full, { ...REMEMBERED, epoch: Number.MAX_SAFE_INTEGER });
    expect(bytes(high)).toBeLessThanOrEqual(MAX_STATUS_BYTES);
    expect({ ...statusDocument(full, low), epoch: high.epoch }).toEqual(high);
  }
});

test('an order is marked in few bytes, however long its annotation is', () => {
  const request = 'r'.repeat(250 * 1024);
  const orders = [{ order: OrderAnnotation.Reconcile, request, handledAt: '2026-01-01T00:00:00Z' }];
  const document = statusDocument(status(2, 2, 'no'), { ...REMEMBERED, orders });
  expect(document.orders).toHaveLength(1);
  expect(document.truncated).toBeUndefined();
  expect(bytes(document)).toBeLessThan(4_096);
});

/** RFC 7386, as the API server does it. */
function patched(target: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = { ...(target as object | undefined) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = patched(result[key], value);
  }
  return result;
}

test.each([
  [
    { a: 1, b: { c: 2, d: 3 } },
    { a: 1, b: { c: 2 } },
  ],
  [{ a: [1, 2] }, { a: [1], e: { f: {} } }],
  [{}, { x: { y: 'z' } }],
  [{ x: { y: 'z' } }, {}],
])('the patch from %j makes %j', (before, after) => {
  const patch = mergePatchOf(before, after);
  expect(patched(before, patch)).toEqual(after);
  expect(mergePatchOf(after, after)).toBeUndefined();
});

test('what others write is neither changed nor removed', () => {
  const keep = new Set(['properties']);
  const before = { properties: { a: '1' }, status: 'Failed' };
  expect(mergePatchOf(before, { status: 'Succeeded' }, keep)).toEqual({ status: 'Succeeded' });
  expect(mergePatchOf(before, { properties: {}, status: 'Failed' }, keep)).toBeUndefined();
});

test('what a later version has written beside is kept, whatever changes', () => {
  const stored = { ...statusDocument(status(1, 1, 'no'), REMEMBERED), ofTheNext: 'version' };
  const after = statusDocument({ ...status(1, 1, 'no'), reason: 'Other' }, REMEMBERED);
  expect(statusChange(stored, after)).toEqual({ reason: 'Other', epoch: 7 });
  expect(statusChange(stored, statusDocument(status(1, 1, 'no'), REMEMBERED))).toBeUndefined();
});

/** As the API server gives it back: with its keys sorted, and nothing undefined. */
function stored<T>(document: T): T {
  return JSON.parse(JSON.stringify(document), (_key, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  ) as T;
}

test.each([
  ['of usual size', status(3, 3, 'no')],
  ['that leaves out what is well', status(100, 60, 'x'.repeat(60))],
  ['whose problems are cut', status(1_000, 20, 'x'.repeat(1_000))],
])(
  'a status %s is written once: who finds the same later, in another run and term, writes nothing',
  (_what, of) => {
    const before = stored(statusDocument(of, REMEMBERED));
    const again: ObjectStatus = {
      ...of,
      lastModified: '2026-02-02T00:00:00Z',
      provisioningStatus: { ...of.provisioningStatus, operationId: 'another run' },
    };
    const later = statusDocument(again, { ...REMEMBERED, epoch: REMEMBERED.epoch * 1_000_000 });
    expect(statusChange(before, later)).toBeUndefined();
    // Not because nothing is ever seen.
    expect(statusChange(before, { ...later, deployed: 12 })).toMatchObject({
      deployed: 12,
      epoch: 7_000_000,
    });
  },
);

test('what changes is all that is sent, with the epoch, however the server orders its keys', () => {
  const before: Partial<ResourceStatus> = stored(statusDocument(status(3, 3, 'no'), REMEMBERED));
  const after = statusDocument(
    { ...status(3, 3, 'no'), reason: 'ProviderTimeout' },
    { ...REMEMBERED, epoch: 8 },
  );
  expect(statusChange(before, after)).toEqual({ reason: 'ProviderTimeout', epoch: 8 });
});
