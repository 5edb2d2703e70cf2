import type { ComponentSpec, SummaryResult, SummarySpec } from '@symphony/model';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { mockControl } from '../../src/modules/providers/index.js';
import { mockTopology, TestEngine, type Wire } from '../support/engine.js';
import type { RawAnswer } from '../support/raw-http.js';
import { curlClient, goClient, pythonClient, type WireClient } from '../support/wire-clients.js';

let engine: TestEngine;
let go: WireClient;
let python: WireClient;
let curl: WireClient;

beforeAll(async () => {
  engine = await TestEngine.start();
  go = goClient(engine);
  python = pythonClient(engine);
  curl = curlClient(engine);
});
afterAll(() => engine.stop());

const API = '/v1alpha2';

/** Logs in as a client does; `maestro` does so before every call. */
async function login(client: WireClient): Promise<string> {
  const answer = await client('POST', `${API}/users/auth`, { body: '{"username":"admin","password":""}' });
  expect(answer.status, answer.body).toBe(200);
  const { accessToken, tokenType } = answer.json<{ accessToken: string; tokenType: string }>();
  expect(tokenType).toBe('Bearer');
  return accessToken;
}

/** Success of a write: 200, nothing in the body. */
function accepted(answer: RawAnswer): void {
  expect([answer.status, answer.body]).toEqual([200, '']);
  expect(answer.headers['content-length']).toBe('0');
}

describe('maestro', () => {
  const call = async (method: string, target: string, body?: object): Promise<RawAnswer> =>
    go(method, `${API}${target}`, { token: await login(go), body: body && JSON.stringify(body) });

  test('creates, gets and removes the objects of a sample; 404 is its empty success', async () => {
    accepted(
      await call('POST', '/solutioncontainers/sample-redis', {
        metadata: { name: 'sample-redis' },
        spec: {},
      }),
    );
    accepted(
      await call('POST', '/solutions/sample-redis-v-version1', {
        metadata: { name: 'sample-redis-v-version1' },
        spec: {
          rootResource: 'sample-redis',
          metadata: { 'deployment.replicas': '#1' },
          components: [
            { name: 'sample-redis', type: 'container', properties: { 'container.image': 'redis:latest' } },
          ],
        },
      }),
    );
    // The agent sends a whole status of zeros with its target.
    accepted(
      await call('POST', '/targets/registry/sample-docker-target', {
        metadata: { name: 'sample-docker-target' },
        spec: { topologies: mockTopology('redis') },
        status: {
          provisioningStatus: { operationId: '', status: '', error: {} },
          lastModified: '0001-01-01T00:00:00Z',
          deployed: 0,
          targets: 0,
        },
      }),
    );
    accepted(
      await call('POST', '/instances/redis-server-instance', {
        metadata: { name: 'redis-server-instance' },
        spec: {
          displayName: 'redis-server',
          solution: 'sample-redis:version1',
          target: { name: 'sample-docker-target' },
        },
      }),
    );
    await engine.settled('instances', 'redis-server-instance');
    expect(mockControl('redis').contents.map(({ properties }) => properties)).toEqual([
      { 'container.image': 'redis:latest' },
    ]);

    const list = await call('GET', '/instances');
    expect(list.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(list.json<Wire[]>().map(({ metadata }) => metadata.name)).toContain('redis-server-instance');
    expect((await call('GET', '/targets/registry')).json<Wire[]>()).toHaveLength(1);
    expect((await call('GET', '/solutions/sample-redis-v-version1')).json<Wire>().spec).toMatchObject({
      rootResource: 'sample-redis',
    });
    expect((await call('GET', '/solutions?path=$.spec.components[0].name&doc-type=json')).json()).toEqual([
      'sample-redis',
    ]);

    // Content-Type: application/json on a DELETE without a body.
    accepted(await call('DELETE', '/instances/redis-server-instance'));
    await engine.gone('instances', 'redis-server-instance');
    expect(mockControl('redis').contents).toEqual([]);
    accepted(await call('DELETE', '/targets/registry/sample-docker-target'));
    accepted(await call('DELETE', '/solutions/sample-redis-v-version1'));
    accepted(await call('DELETE', '/solutioncontainers/sample-redis'));
    expect((await call('DELETE', '/instances/redis-server-instance')).status).toBe(404);
    expect((await go('GET', `${API}/greetings`)).status).toBe(200);
  });

  test('a token that is none is 401, for it to log in again', async () => {
    expect((await go('GET', `${API}/instances`)).status).toBe(401);
    expect((await go('GET', `${API}/instances`, { token: 'x' })).status).toBe(401);
    const wrong = await go('POST', `${API}/users/auth`, { body: '{"username":"somebody","password":"x"}' });
    expect(wrong.status).toBe(401);
  });
});

describe('the Go client', () => {
  test('escapes names for queries: %3A and + in paths, and finds what it wrote; direct=true; trailing slashes; chunks', async () => {
    const token = await login(go);
    const body = JSON.stringify({ metadata: { name: 'with:colon' }, spec: { components: [] } });
    accepted(
      await go('POST', `${API}/solutions/with%3Acolon?namespace=default`, { token, body, chunked: true }),
    );
    const found = await go('GET', `${API}/solutions/with%3Acolon/?namespace=default`, { token });
    expect(found.json<Wire>().metadata.name).toBe('with:colon');
    // A name with a blank cannot exist: it is refused or not there, but never served as another.
    expect([400, 404]).toContain((await go('GET', `${API}/solutions/with+colon`, { token })).status);
    accepted(await go('POST', `${API}/targets/registry/direct/`, { token, body: '{"spec":{}}' }));
    accepted(await go('DELETE', `${API}/targets/registry/direct?direct=true&namespace=default`, { token }));
    await engine.gone('targets/registry', 'direct');
  });

  test('queues a deployment and polls its summary until generation, hash and job id are its own', async () => {
    const guid = '0f9a3f6e-5d4c-4b3a-9a8b-7c6d5e4f3a2b';
    const token = await login(go);
    const deployment = (jobID: string, generation: string, hash: string): string =>
      JSON.stringify({
        solutionName: 'queued-v-version1',
        solution: {
          metadata: { namespace: 'default', name: 'queued-v-version1' },
          spec: {
            displayName: 'q',
            components: [{ name: 'web', type: 'container', properties: { image: hash } }],
          },
        },
        instance: {
          metadata: { namespace: 'default', name: 'queued', annotations: { Guid: guid } },
          spec: { displayName: 'q', scope: 'default', solution: 'queued:version1', target: { name: 'edge' } },
          status: {
            provisioningStatus: { operationId: '', status: '', error: {} },
            lastModified: '0001-01-01T00:00:00Z',
          },
        },
        targets: {
          edge: {
            metadata: { namespace: 'default', name: 'edge' },
            spec: { topologies: mockTopology('queued') },
          },
        },
        assignments: { edge: '{web}' },
        generation,
        jobID,
        objectNamespace: 'default',
        hash,
      });
    const summaryOf = async (jobID: string, generation: string, hash: string): Promise<SummaryResult> =>
      engine.until(`the summary of job ${jobID}`, async () => {
        const answer = await go(
          'GET',
          `${API}/solution/queue?instance=queued-${guid}&name=queued&namespace=default`,
          { token },
        );
        // Not found only before the order was taken.
        expect([200, 404], answer.body).toContain(answer.status);
        if (answer.status === 404) return undefined;
        const result = answer.json<SummaryResult>();
        return result.generation === generation &&
          result.deploymentHash === hash &&
          result.summary.jobID === jobID &&
          result.state === 2
          ? result
          : undefined;
      });

    const queue = `${API}/solution/queue?delete=false&namespace=default&objectType=deployment`;
    for (const [jobID, generation, hash] of [
      ['1', '1', '1b2c'],
      ['2', '2', '3d4e'],
    ] as const) {
      const answer = await go('POST', queue, { token, body: deployment(jobID, generation, hash) });
      expect([answer.status, answer.json()]).toEqual([
        200,
        { result: '200 - instance reconcilation job accepted' },
      ]);
      const result = await summaryOf(jobID, generation, hash);
      expect(result.summary).toMatchObject({
        allAssignedDeployed: true,
        targetCount: 1,
        successCount: 1,
        isRemoval: false,
      });
      expect(mockControl('queued').contents.map(({ properties }) => properties)).toEqual([{ image: hash }]);
    }

    const removal = queue.replace('delete=false', 'delete=true');
    expect((await go('POST', removal, { token, body: deployment('3', '3', '5f') })).status).toBe(200);
    expect((await summaryOf('3', '3', '5f')).summary).toMatchObject({
      isRemoval: true,
      allAssignedDeployed: true,
    });
    expect(mockControl('queued').contents).toEqual([]);
    const gone = await go('DELETE', `${API}/solution/queue?instance=queued-${guid}&namespace=default`, {
      token,
    });
    expect(gone.status).toBe(200);
  });

  test('GET solution/instances reads its body, as the proxy provider needs it', async () => {
    const token = await login(go);
    const body = JSON.stringify({
      solutionName: 'proxied',
      solution: {
        metadata: { name: 'proxied' },
        spec: { components: [{ name: 'web', properties: { a: '1' } }] },
      },
      instance: { metadata: { name: 'proxied' }, spec: {} },
      targets: { edge: { metadata: { name: 'edge' }, spec: { topologies: mockTopology('proxied') } } },
      assignments: { edge: '{web}' },
    });
    const components = async (): Promise<string[]> => {
      const answer = await go('GET', `${API}/solution/instances`, { token, body });
      expect(answer.status, answer.body).toBe(200);
      return answer.json<ComponentSpec[]>().map(({ name }) => name);
    };
    expect(await components()).toEqual([]);
    const deployed = await go('POST', `${API}/solution/instances`, { token, body, contentType: '' });
    expect(deployed.json<SummarySpec>()).toMatchObject({ successCount: 1, allAssignedDeployed: true });
    expect(await components()).toEqual(['web']);
    const removed = await go('DELETE', `${API}/solution/instances`, { token, body });
    expect(removed.json<SummarySpec>()).toMatchObject({ isRemoval: true });
    expect(await components()).toEqual([]);
  });
});

describe('the Python SDK', () => {
  test('health, targets with status and ping, solutions by embed-*, instances, queue, reconcile?delete=true', async () => {
    expect((await python('GET', `${API}/greetings`)).status).toBe(200);
    const token = await login(python);
    const call = (method: string, target: string, body?: object): Promise<RawAnswer> =>
      python(method, `${API}${target}`, { token, body: body && JSON.stringify(body) });

    accepted(
      await call('POST', '/targets/registry/py', {
        metadata: { name: 'py' },
        spec: { topologies: mockTopology('py', {}, 'yaml.k8s') },
      }),
    );
    expect((await call('POST', '/targets/ping/py')).json()).toEqual({});
    const status = await call('PUT', '/targets/status/py', { properties: { online: 'yes' } });
    expect(status.json()).toMatchObject({
      metadata: { name: 'py' },
      status: { properties: { online: 'yes' } },
    });

    const embedded = { metadata: { name: 'ignored' }, spec: { replicas: 1 } };
    accepted(
      await call(
        'POST',
        '/solutions/py-app?namespace=default&embed-type=yaml.k8s&embed-component=web&embed-property=yaml',
        embedded,
      ),
    );
    expect((await call('GET', '/solutions/py-app?path=$.spec.components[0]')).json()).toMatchObject({
      name: 'web',
      type: 'yaml.k8s',
      properties: { yaml: JSON.stringify(embedded) },
    });
    accepted(await call('POST', '/instances/py-1?solution=py-app&target=py', {}));
    accepted(await call('POST', '/instances/py-2?solution=py-app&target-selector=os%3Dlinux'));
    await engine.settled('instances', 'py-1');
    expect(mockControl('py').contents.map(({ name }) => name)).toEqual(['web']);
    const queue = await call('GET', '/solution/queue?instance=py-1');
    expect(queue.json()).toMatchObject({ state: 2, summary: { allAssignedDeployed: true, removed: false } });

    const reconcile = await call('POST', '/solution/reconcile?delete=true', {
      solutionName: 's',
      solution: { metadata: { name: 's' }, spec: { components: [{ name: 'web' }] } },
      instance: { metadata: { name: 'py-posted' }, spec: {} },
      targets: { py: { metadata: { name: 'py' }, spec: { topologies: mockTopology('py-posted') } } },
      assignments: { py: '{web}' },
    });
    expect(reconcile.json<SummarySpec>()).toMatchObject({ isRemoval: true, allAssignedDeployed: true });

    for (const name of ['py-1', 'py-2']) accepted(await call('DELETE', `/instances/${name}`));
    await engine.gone('instances', 'py-1');
    accepted(await call('DELETE', '/targets/registry/py?direct=true'));
    // The SDK sends these without a body: an error that says so, where Symphony answers 500.
    expect((await call('GET', '/solution/instances')).status).toBe(400);
    expect((await call('DELETE', '/solution/instances')).status).toBe(400);
  });
});

describe('curl', () => {
  test("the documentation's samples: -d without a content type, reconciliationPolicy, YAML, downloads", async () => {
    const token = await login(curl);
    accepted(
      await curl('POST', `${API}/targets/registry/ankaios-target`, {
        token,
        body: JSON.stringify({
          metadata: { name: 'ankaios-target' },
          spec: {
            displayName: 'ankaios-target',
            properties: { os: 'linux' },
            topologies: mockTopology('ankaios', {}, 'ankaios'),
          },
        }),
      }),
    );
    accepted(
      await curl('POST', `${API}/solutioncontainers/ankaios-app`, {
        token,
        body: '{"metadata":{"name":"ankaios-app"},"spec":{}}',
      }),
    );
    accepted(
      await curl('POST', `${API}/solutions/ankaios-app-v-v1`, {
        token,
        body: JSON.stringify({
          metadata: { name: 'ankaios-app-v-v1' },
          spec: {
            rootResource: 'ankaios-app',
            components: [{ name: 'web', type: 'ankaios', properties: { 'ankaios.runtime': 'podman' } }],
          },
        }),
      }),
    );
    accepted(
      await curl('POST', `${API}/instances/ankaios-app-instance`, {
        token,
        body: [
          'apiVersion: solution.symphony/v1',
          'kind: Instance',
          'metadata:',
          '  name: ankaios-app-instance',
          'spec:',
          '  solution: ankaios-app:v1',
          '  target:',
          '    name: ankaios-target',
          '  reconciliationPolicy:',
          '    state: active',
          '    interval: 1m',
        ].join('\n'),
      }),
    );
    await engine.settled('instances', 'ankaios-app-instance');
    expect(mockControl('ankaios').contents.map(({ name }) => name)).toEqual(['web']);

    const yaml = await curl(
      'GET',
      `${API}/targets/registry/ankaios-target?doc-type=yaml&path=$.spec.properties`,
      { token },
    );
    expect([yaml.headers['content-type'], yaml.body]).toEqual(['text/plain; charset=utf-8', 'os: linux\n']);
    const download = await curl('GET', `${API}/targets/download/yaml/ankaios-target`, { token });
    expect(download.body).toContain('displayName: ankaios-target');
    // What GET shows can be posted back, and changes nothing.
    const shown = await curl('GET', `${API}/instances/ankaios-app-instance`, { token });
    accepted(
      await curl('POST', `${API}/instances/ankaios-app-instance`, {
        token,
        body: shown.body,
        contentType: 'text/plain',
      }),
    );
    const again = await engine.get('instances', 'ankaios-app-instance');
    expect(again?.metadata).toEqual(shown.json<Wire>().metadata);
    expect((await curl('GET', `${API}/instances?path=$.spec.solution`, { token })).json()).toContain(
      'ankaios-app:v1',
    );
    expect((await curl('GET', `${API}/instances/ankaios-app-instance?path=$.nothing`, { token })).body).toBe(
      'null',
    );

    accepted(await curl('DELETE', `${API}/instances/ankaios-app-instance`, { token }));
    await engine.gone('instances', 'ankaios-app-instance');
    expect((await curl('POST', `${API}/jobs`, { token, body: '{"campaign":"a"}' })).json()).toMatchObject({
      code: 'CampaignsNotSupported',
    });
  });
});
