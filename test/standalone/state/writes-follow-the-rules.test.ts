import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  fanOutsOf,
  instanceBody,
  laneOf,
  solutionBody,
  startStateApp,
  type StateApp,
  targetBody,
} from './state-app.js';

let state: StateApp;
let call: StateApp['call'];

beforeAll(async () => {
  state = await startStateApp('writes');
  ({ call } = state);
});
afterAll(() => state.close());
beforeEach(async () => {
  await state.database.query('TRUNCATE objects, object_status, lanes, fan_outs, ledger CASCADE');
});

describe('a successful write', () => {
  test.each([
    ['targets/registry/edge', targetBody()],
    ['solutions/app-v-1', solutionBody()],
    ['instances/app', instanceBody()],
    ['solutioncontainers/app', undefined],
  ])('POST %s is 200, empty, without a Content-Type, with the version as ETag', async (path, body) => {
    const answer = await call('POST', path, { body });
    expect(answer).toMatchObject({ status: 200, text: '' });
    expect(answer.headers['content-type']).toBeUndefined();
    expect(answer.headers['etag']).toMatch(/^"\d+"$/);
    const again = await call('POST', path, { body });
    expect(again.headers['etag']).toBe(answer.headers['etag']);
    const removed = await call('DELETE', path);
    expect(removed).toMatchObject({ status: 200, text: '' });
    expect(removed.headers['content-type']).toBeUndefined();
  });

  test('answers with the object where that is preferred', async () => {
    const headers = { prefer: 'return=representation' };
    const answer = await call('POST', 'targets/registry/edge', { body: targetBody(), headers });
    expect(answer.headers['preference-applied']).toBe('return=representation');
    expect(answer.json()).toMatchObject({ metadata: { name: 'edge', namespace: 'default', generation: 1 } });
    const removed = await call('DELETE', 'targets/registry/edge', { headers });
    expect(removed.json()).toMatchObject({ metadata: { deletionTimestamp: expect.any(String) as string } });
  });

  test('may be named in the body alone', async () => {
    expect((await call('POST', 'instances', { body: instanceBody({}, { name: 'app' }) })).status).toBe(200);
    expect((await call('GET', 'instances/app')).status).toBe(200);
    expect((await call('POST', 'instances', { body: instanceBody() })).json()).toMatchObject({
      code: 'InvalidName',
    });
  });
});

describe('names and namespaces', () => {
  test('a name in the body that is not that of the URL is 400', async () => {
    const answer = await call('POST', 'targets/registry/edge', { body: targetBody({}, { name: 'other' }) });
    expect(answer.json()).toMatchObject({
      status: 400,
      code: 'NameMismatch',
      problems: [{ path: 'metadata.name' }],
    });
  });

  test.each([
    ['a/b', 400],
    ['-a', 400],
    ['x'.repeat(62), 400],
    [`app-v-${'x'.repeat(62)}`, 400],
    [`app-v-${'x'.repeat(61)}`, 200],
    ['a:b', 200],
    ['ünïcode', 400],
    [`x-v-${'y-v-'.repeat(100)}z`, 400],
  ])('the name %s is answered with %d', async (name, status) => {
    const path = `targets/registry/${encodeURIComponent(name)}`;
    expect((await call('POST', path, { body: targetBody() })).status).toBe(status);
    expect((await call('GET', path)).status).toBe(status === 200 ? 200 : 404);
  });

  test('namespace of a write: body, else query, else default; both and different is 400', async () => {
    const inBody = targetBody({}, { namespace: 'one' });
    expect((await call('POST', 'targets/registry/a', { body: inBody })).status).toBe(200);
    expect((await call('POST', 'targets/registry/b?namespace=two', { body: targetBody() })).status).toBe(200);
    expect((await call('POST', 'targets/registry/c', { body: targetBody() })).status).toBe(200);
    expect((await call('POST', 'targets/registry/d?namespace=one', { body: inBody })).status).toBe(200);
    const both = await call('POST', 'targets/registry/e?namespace=two', { body: inBody });
    expect(both.json()).toMatchObject({ status: 400, code: 'NamespaceMismatch' });
    const all = (await call('GET', 'targets/registry')).json() as unknown as {
      metadata: { namespace: string; name: string };
    }[];
    expect(all.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`)).toEqual([
      'default/c',
      'one/a',
      'one/d',
      'two/b',
    ]);
    expect((await call('GET', 'targets/registry/a')).status).toBe(404);
    expect((await call('GET', 'targets/registry/a?namespace=one')).status).toBe(200);
    expect((await call('DELETE', 'targets/registry/a')).status).toBe(404);
    expect((await call('DELETE', 'targets/registry/a?namespace=one')).status).toBe(200);
  });
});

describe('bodies', () => {
  test.each([
    ['targets/registry/x', undefined, 'BodyMissing', ''],
    ['targets/registry/x', '[]', 'InvalidInput', ''],
    ['targets/registry/x', { displayName: 'bare' }, 'BareSpec', ''],
    ['instances/x', { solution: 'a', target: { name: 't' } }, 'BareSpec', ''],
    ['targets/registry/x', { metadata: {} }, 'InvalidInput', 'spec'],
    ['targets/registry/x', { spec: { propertys: {} } }, 'InvalidInput', 'spec.propertys'],
    ['targets/registry/x', { kind: 'Instance', spec: {} }, 'WrongKind', 'kind'],
    ['targets/registry/x', { spec: {}, metadata: { etag: {} } }, 'InvalidInput', 'metadata.etag'],
    ['targets/registry/x', { spec: {}, metadata: { labels: { a: 1 } } }, 'InvalidInput', 'metadata.labels'],
    ['instances/x', { spec: { target: { name: 't' } } }, 'InvalidInput', 'spec.solution'],
    ['instances/x', { spec: { solution: 'a' } }, 'InvalidInput', 'spec.target'],
    ['instances/x', { spec: { solution: 'a', target: { selector: {} } } }, 'InvalidInput', 'spec.target'],
    ['solutions/x', { spec: { rootResource: 'app' } }, 'InvalidInput', 'spec.rootResource'],
    ['solutions/app-v-', { spec: { rootResource: 'app' } }, 'InvalidName', 'metadata.name'],
    [
      'solutions/x',
      '{"spec": {"components": [{"name": "a", "properties": {"n": 9007199254740993}}]}}',
      'InvalidInput',
      'spec.components[0].properties.n',
    ],
    [
      'solutions/x',
      '{"spec": {"components": [{"name": "a\\u0000"}]}}',
      'InvalidInput',
      'spec.components[0].name',
    ],
  ])('POST %s of %j is 400 %s at %j', async (path, body, code, at) => {
    const answer = await call('POST', path, { body });
    expect(answer.json()).toMatchObject({ status: 400, code, problems: [{ path: at }] });
  });

  test('apiVersion, kind and status are accepted; the status is not the user’s to write', async () => {
    const body = {
      apiVersion: 'fabric.symphony/v1',
      kind: 'Target',
      ...targetBody({}, { name: 'edge', managedFields: [{}], resourceVersion: '7', ownerReferences: [] }),
      status: { properties: { a: 'b' }, provisioningStatus: { status: 'Succeeded' } },
    };
    expect((await call('POST', 'targets/registry/edge', { body })).status).toBe(200);
    expect((await call('GET', 'targets/registry/edge')).json()['status']).toEqual({});
  });

  test.each(['json', 'yaml'])(
    'what GET shows as %s can be posted back, here and in an empty store',
    async (type) => {
      const objects = [
        [
          'targets/registry/edge',
          targetBody({ properties: { os: 'linux', v: '1.10', y: 'yes' } }, { labels: { a: 'b' } }),
        ],
        ['solutions/app-v-1', solutionBody({ rootResource: 'app', version: '010' })],
        ['instances/app', instanceBody({ parameters: { id: '12345678901234567890' } })],
      ] as const;
      for (const [path, body] of objects) await call('POST', path, { body });
      await call('POST', 'targets/ping/edge');
      for (const [path] of objects) {
        const shown = await call('GET', `${path}?doc-type=${type}`);
        const before = await call('GET', path);
        expect((await call('POST', path, { body: shown.text })).status).toBe(200);
        expect((await call('GET', path)).text).toBe(before.text);
        await state.database.query('DELETE FROM objects WHERE name = $1', [path.split('/').at(-1)]);
        expect((await call('POST', path, { body: shown.text })).status).toBe(200);
        expect((await call('GET', path)).json()['spec']).toEqual(before.json()['spec']);
      }
    },
  );
});

describe('what may not change', () => {
  test.each([
    ['targets/registry/x', targetBody({ scope: 'a' }), targetBody({ scope: 'b' }), 'spec.scope'],
    ['targets/registry/x', targetBody({ scope: 'a' }), targetBody(), 'spec.scope'],
    ['instances/x', instanceBody({ scope: 'a' }), instanceBody({ scope: 'b' }), 'spec.scope'],
    ['instances/x', instanceBody(), instanceBody({ isDryRun: true }), 'spec.isDryRun'],
    ['targets/registry/x', targetBody(), targetBody({ isDryRun: true }), 'spec.isDryRun'],
    [
      'solutions/a-v-b-v-c',
      solutionBody({ rootResource: 'a' }),
      solutionBody({ rootResource: 'a-v-b' }),
      'spec.rootResource',
    ],
  ])('%s: %j to %j is 400 at %s', async (path, before, after, at) => {
    expect((await call('POST', path, { body: before })).status).toBe(200);
    const answer = await call('POST', path, { body: after });
    expect(answer.json()).toMatchObject({ status: 400, code: 'ImmutableField', problems: [{ path: at }] });
  });

  test('isDryRun can be switched off, scope can be set once', async () => {
    await call('POST', 'instances/x', { body: instanceBody({ isDryRun: true }) });
    expect((await call('POST', 'instances/x', { body: instanceBody({ scope: 'a' }) })).status).toBe(200);
  });

  test('displayName need not be unique', async () => {
    for (const name of ['a', 'b']) {
      const answer = await call('POST', `instances/${name}`, { body: instanceBody({ displayName: 'same' }) });
      expect(answer.status).toBe(200);
    }
  });
});

describe('preconditions', () => {
  test('If-Match, If-None-Match and the etag of the body', async () => {
    const body = solutionBody();
    const send = async (headers: Record<string, string>, metadata: object = {}) =>
      (await call('POST', 'solutions/s', { body: { ...body, metadata }, headers })).status;
    expect(await send({ 'if-match': '*' })).toBe(412);
    expect(await send({ 'if-match': '"1"' })).toBe(412);
    expect(await send({ 'if-none-match': '*' })).toBe(200);
    expect(await send({ 'if-none-match': '*' })).toBe(412);
    expect(await send({ 'if-none-match': '"1"' })).toBe(400);
    expect(await send({ 'if-match': 'a b' })).toBe(400);
    const etag = String((await call('GET', 'solutions/s')).headers['etag']);
    expect(await send({ 'if-match': etag })).toBe(200);
    expect(await send({ 'if-match': `"nope", W/${etag}` })).toBe(200);
    expect(await send({ 'if-match': '"nope"' })).toBe(412);
    expect(await send({}, { etag: etag.replaceAll('"', '') })).toBe(200);
    expect(await send({}, { etag: Number(etag.replaceAll('"', '')) })).toBe(200);
    expect(await send({}, { etag: 'nope' })).toBe(409);
    expect(await send({}, { etag: '' })).toBe(200);
    const remove = await call('DELETE', 'solutions/s', { headers: { 'if-match': '"nope"' } });
    expect(remove.json()).toMatchObject({ status: 412, code: 'PreconditionFailed' });
  });

  test('a status write does not make the version that a user has read fail', async () => {
    await call('POST', 'targets/registry/edge', { body: targetBody() });
    await call('POST', 'targets/ping/edge');
    const etag = String((await call('GET', 'targets/registry/edge')).headers['etag']);
    await call('PUT', 'targets/status/edge?online=yes');
    const answer = await call('POST', 'targets/registry/edge', {
      body: targetBody({ properties: { a: 'b' } }),
      headers: { 'if-match': etag },
    });
    expect(answer.status).toBe(200);
  });
});

describe('dry runs', () => {
  test('answer with the object and store nothing', async () => {
    const created = await call('POST', 'instances/i?dryRun=true', { body: instanceBody() });
    expect(created.json()).toMatchObject({
      metadata: { name: 'i', generation: 1 },
      spec: { solution: 'app-v-1' },
    });
    expect((await call('GET', 'instances/i')).status).toBe(404);
    await call('POST', 'instances/i', { body: instanceBody() });
    const changed = await call('POST', 'instances/i?dryRun=All', { body: instanceBody({ solution: 'b' }) });
    expect(changed.json()).toMatchObject({ metadata: { generation: 2 }, spec: { solution: 'b' } });
    expect((await call('DELETE', 'instances/i?dryRun=true')).json()).toMatchObject({
      metadata: { name: 'i' },
    });
    const kept = await call('GET', 'instances/i');
    expect(kept.json()).toMatchObject({ metadata: { generation: 1 }, spec: { solution: 'app-v-1' } });
    expect(await laneOf(state, 'Instance', 'i')).toMatchObject({ generation: 1, deleting: false });
  });

  test('are refused as the write would be', async () => {
    await call('POST', 'instances/i', { body: instanceBody({ scope: 'a' }) });
    const change = { body: instanceBody({ scope: 'b' }) };
    expect((await call('POST', 'instances/i?dryRun=true', change)).status).toBe(400);
    expect((await call('DELETE', 'instances/none?dryRun=true')).status).toBe(404);
    expect((await call('POST', 'instances/i?dryRun=maybe', { body: instanceBody() })).status).toBe(400);
  });
});

describe('deletion', () => {
  test('is 404 for the unknown, 200 when repeated, and a write meanwhile is 409', async () => {
    expect((await call('DELETE', 'instances/i')).json()).toMatchObject({ status: 404, code: 'NotFound' });
    await call('POST', 'instances/i', { body: instanceBody() });
    for (const query of ['', '?direct=true', '?orphan=false']) {
      expect((await call('DELETE', `instances/i${query}`)).status).toBe(200);
    }
    expect(await laneOf(state, 'Instance', 'i')).toMatchObject({
      generation: 2,
      deleting: true,
      actor: 'admin',
    });
    expect((await call('GET', 'instances/i')).json()).toMatchObject({
      metadata: { generation: 2, deletionTimestamp: expect.any(String) as string },
    });
    const write = await call('POST', 'instances/i', { body: instanceBody() });
    expect(write.json()).toMatchObject({ status: 409, code: 'ObjectDeleting' });
  });

  test('orphan is for administrators, and answers what was left', async () => {
    await call('POST', 'instances/i', { body: instanceBody() });
    const headers = { 'x-user': 'olga:operator' };
    const refused = await call('DELETE', 'instances/i?orphan=true', { headers });
    expect(refused.json()).toMatchObject({ status: 403 });
    const answer = await call('DELETE', 'instances/i?orphan=true');
    expect(answer.json()).toMatchObject({ object: { metadata: { name: 'i' } }, left: [] });
    expect((await call('GET', 'instances/i')).status).toBe(404);
  });
});

describe('what a write orders', () => {
  test('an instance: itself, with the generation and the person; again when the same is sent again', async () => {
    await call('POST', 'instances/i', { body: instanceBody(), headers: { 'x-user': 'olga:operator' } });
    expect(await laneOf(state, 'Instance', 'i')).toEqual({ generation: 1, deleting: false, actor: 'olga' });
    expect(await fanOutsOf(state)).toEqual([]);
    await state.database.query('TRUNCATE lanes CASCADE');
    await call('POST', 'instances/i', { body: instanceBody() });
    expect(await laneOf(state, 'Instance', 'i')).toMatchObject({ generation: 1 });
  });

  test('a target: itself and its dependents; only itself when nothing changed for them', async () => {
    await call('POST', 'targets/registry/edge', { body: targetBody() });
    expect(await laneOf(state, 'Target', 'edge')).toMatchObject({ generation: 1 });
    expect(await fanOutsOf(state)).toEqual(['Target/edge']);
    await state.database.query('TRUNCATE fan_outs');
    await call('POST', 'targets/registry/edge', { body: targetBody({ displayName: 'Edge' }) });
    expect(await fanOutsOf(state)).toEqual([]);
    await call('DELETE', 'targets/registry/edge');
    expect(await fanOutsOf(state)).toEqual(['Target/edge']);
  });

  test('a solution: its dependents, when it is made, changed and deleted, not when the same is sent again', async () => {
    await call('POST', 'solutions/s', { body: solutionBody() });
    await call('POST', 'solutions/s', { body: solutionBody() });
    await call('POST', 'solutions/s', { body: solutionBody({ components: [] }) });
    await call('DELETE', 'solutions/s');
    expect(await fanOutsOf(state)).toEqual(['Solution/s', 'Solution/s', 'Solution/s']);
  });

  test('pings and status reports order nothing', async () => {
    await call('POST', 'targets/registry/edge', { body: targetBody() });
    await state.database.query('TRUNCATE lanes, fan_outs CASCADE');
    await call('POST', 'targets/ping/edge');
    await call('PUT', 'targets/status/edge', { body: { properties: { a: 'b' } } });
    expect(await laneOf(state, 'Target', 'edge')).toBeUndefined();
    expect(await fanOutsOf(state)).toEqual([]);
  });
});
