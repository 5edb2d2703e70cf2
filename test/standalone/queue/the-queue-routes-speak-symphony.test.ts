import type { SummaryResult } from '@symphony/model';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LaneView } from '../../../src/modules/queue/index.js';
import { mockTopology, TestEngine } from '../../support/engine.js';

const ACCEPTED = { result: '200 - instance reconcilation job accepted' };
const GUID = '0f8fad5b-d9cb-469f-a165-70867728950e';

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.start();
  await engine.target('t1', { topologies: mockTopology('routes') });
  await engine.solution('app-v-1', [{ name: 'web', properties: { image: 'web:1' } }]);
  await engine.instance('app', { solution: 'app:1', target: { name: 't1' } });
  await engine.settled('instances', 'app');
  await engine.settled('targets/registry', 't1');
});
afterAll(() => engine.stop());

const done = (path: string) =>
  engine.until(`${path} to be done`, async () => {
    const answer = await engine.request<SummaryResult>('GET', path);
    return answer.status === 200 && answer.body.state === 2 ? answer.body : undefined;
  });

test('GET answers the summary by name, by name and guid, and for a target by its runtime name', async () => {
  const summary = await done('/solution/queue?instance=app');
  expect(summary).toMatchObject({ generation: '1', state: 2, summary: { allAssignedDeployed: true } });
  expect(await done(`/solution/queue?instance=app-${GUID}`)).toMatchObject({ generation: '1' });
  expect(await done('/solution/queue?instance=nobody&name=app')).toMatchObject({ generation: '1' });
  expect(await done('/solution/queue?instance=target-runtime-t1')).toMatchObject({ generation: '1' });
  expect(
    await done(`/solution/queue?instance=target-runtime-t1-${GUID}&name=target-runtime-t1`),
  ).toBeDefined();
});

test('what is unknown is 404, what is wrong is 400 and names the parameter', async () => {
  for (const [method, path] of [
    ['GET', '/solution/queue?instance=nobody'],
    ['GET', '/solution/queue?instance=app&namespace=elsewhere'],
    ['POST', '/solution/queue?instance=nobody'],
    ['POST', '/solution/queue?instance=app&objectType=target'],
    ['POST', '/solution/queue?instance=nobody&delete=true'],
    ['DELETE', '/solution/queue?instance=nobody'],
    ['GET', '/jobs/Instance/default/nobody'],
  ] as const) {
    expect([path, (await engine.request(method, path)).status]).toEqual([path, 404]);
  }
  for (const [method, path, parameter] of [
    ['GET', '/solution/queue', 'instance'],
    ['POST', '/solution/queue', 'instance'],
    ['DELETE', '/solution/queue', 'instance'],
    ['GET', '/solution/queue?instance=%2Fx', 'instance'],
    ['GET', `/solution/queue?instance=${'x'.repeat(5_000)}`, 'instance'],
    ['POST', '/solution/queue?instance=app&objectType=campaign', 'objectType'],
    ['POST', '/solution/queue?instance=app&delete=perhaps', 'delete'],
    ['GET', '/solution/queue?instance=app&namespace=a%2Fb', 'namespace'],
    ['GET', '/jobs?limit=0', 'limit'],
    ['GET', '/jobs?state=asleep', 'state'],
    ['GET', '/jobs?kind=Solution', 'kind'],
    ['GET', '/jobs?continue=nonsense', 'continue'],
    ['GET', '/jobs/Solution/default/app', 'kind'],
  ] as const) {
    const answer = await engine.request<{ problems?: { path: string }[] }>(method, path);
    expect([path, answer.status, answer.body.problems?.[0]?.path]).toEqual([path, 400, parameter]);
  }
});

test('POST orders a run now, for instances and targets', async () => {
  const before = await engine.ok<LaneView>('GET', '/jobs/Instance/default/app');
  expect(before).toMatchObject({
    kind: 'Instance',
    name: 'app',
    state: 'idle',
    // Its target was new as well: where that was told later, the last run was a dependent's that found nothing to do.
    reason: expect.stringMatching(/^(Succeeded|UpToDate)$/),
    attempts: 0,
  });
  expect(await engine.ok('POST', '/solution/queue?instance=app')).toEqual(ACCEPTED);
  const after = await engine.until('another run', async () => {
    const lane = await engine.ok<LaneView>('GET', '/jobs/Instance/default/app');
    return lane.state === 'idle' && lane.doneSeq !== before.doneSeq ? lane : undefined;
  });
  expect(BigInt(after.orderSeq)).toBeGreaterThan(BigInt(before.orderSeq));
  for (const query of [
    'instance=t1&objectType=target',
    'instance=t1&target=true',
    'instance=target-runtime-t1',
  ]) {
    expect(await engine.ok('POST', `/solution/queue?${query}`)).toEqual(ACCEPTED);
  }
});

test('the list of jobs is paged, filtered, and says where it goes on', async () => {
  const first = await engine.request<LaneView[]>('GET', '/jobs?limit=1');
  expect(first.body).toHaveLength(1);
  const next = first.headers.get('x-continue');
  expect(next).toBeTruthy();
  const second = await engine.request<LaneView[]>('GET', `/jobs?limit=1&continue=${next}`);
  expect(second.body).toHaveLength(1);
  expect(second.headers.get('x-continue')).toBeNull();
  expect([...first.body, ...second.body].map((lane) => `${lane.kind}/${lane.name}`)).toEqual([
    'Instance/app',
    'Target/t1',
  ]);
  expect(await engine.ok<LaneView[]>('GET', '/jobs?kind=target')).toHaveLength(1);
  expect(await engine.ok('GET', '/jobs?namespace=empty')).toEqual([]);
});

test('POST /jobs says that there are no campaigns', async () => {
  const answer = await engine.request<{ code?: string }>('POST', '/jobs', { campaign: 'c' });
  expect(answer.status).toBe(422);
  expect(answer.text).toContain('CampaignsNotSupported');
});

test('a posted deployment is refused for a stored instance, and when it is none', async () => {
  const wrong = await engine.request('POST', '/solution/queue?objectType=deployment', { instance: 7 });
  expect(wrong.status).toBe(400);
  const deployment = {
    solutionName: 'posted',
    solution: { metadata: { name: 'posted' }, spec: { components: [] } },
    instance: { metadata: { name: 'app', namespace: 'default' }, spec: {} },
    targets: {},
    jobID: '1',
    generation: '1',
  };
  const stored = await engine.request('POST', '/solution/queue?objectType=deployment', deployment);
  expect([stored.status, stored.text]).toEqual([409, expect.stringContaining('StoredObjectExists')]);
  deployment.instance.metadata.name = 'posted';
  expect(await engine.ok('POST', '/solution/queue?objectType=deployment', deployment)).toEqual(ACCEPTED);
  expect(await done('/solution/queue?instance=posted')).toMatchObject({ generation: '1' });
  const older = await engine.request('POST', '/solution/queue?objectType=deployment', {
    ...deployment,
    jobID: '0',
  });
  expect(older.status).toBe(400);
});

test('DELETE marks the summary, POST with delete=true removes the object', async () => {
  await engine.ok('DELETE', '/solution/queue?instance=app');
  expect(await done('/solution/queue?instance=app')).toMatchObject({ summary: { removed: true } });
  expect(await engine.ok('POST', '/solution/queue?instance=app&delete=true')).toEqual(ACCEPTED);
  await engine.gone('instances', 'app');
  expect((await engine.request('GET', '/jobs/Instance/default/app')).status).toBe(404);
  expect((await engine.request('POST', '/solution/queue?instance=app')).status).toBe(404);
});
