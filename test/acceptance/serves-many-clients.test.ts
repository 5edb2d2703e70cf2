import { afterAll, beforeAll, expect, test } from 'vitest';
import { mockControl } from '../../src/modules/providers/index.js';
import { type Answer, mockTopology, TestEngine, type Wire } from '../support/engine.js';

const CLIENTS = 64;
const ROUNDS = 6;
const ALL_MS = 240_000;
const SETTLE_MS = 120_000;

let engine: TestEngine;
beforeAll(async () => {
  engine = await TestEngine.start({ config: { 'queue.concurrency': 4 } });
  for (const name of SHARED)
    await engine.target(name, { properties: { n: '0' }, topologies: mockTopology(name) });
  await engine.solution('app', [{ name: 'c', properties: { n: '0' } }]);
  for (const name of SHARED) await engine.instance(`on-${name}`, { solution: 'app', target: { name } });
});
afterAll(() => engine.stop());

/** Objects that all clients write. */
const SHARED = ['t0', 't1', 't2', 't3'] as const;

/** Every answer of the test: none may be a 5xx. */
async function send<T>(...request: Parameters<TestEngine['request']>): Promise<Answer<T>> {
  const answer = await engine.request<T>(...request);
  expect(answer.status, `${request[0]} ${request[1]} -> ${answer.text}`).toBeLessThan(500);
  return answer;
}

/** Adds one to the number in an object, as often as others come between. */
async function increment(
  path: string,
  read: (spec: Wire['spec']) => string,
  write: (spec: Wire['spec'], n: string) => object,
): Promise<void> {
  for (;;) {
    const { body } = await send<Wire>('GET', path);
    const spec = write(body.spec, String(Number(read(body.spec)) + 1));
    const answer = await send('POST', path, { spec }, { 'If-Match': `"${body.metadata.etag}"` });
    if (answer.status === 200) return;
    expect(answer.status, answer.text).toBe(412);
  }
}

const numberOfTarget = (spec: Wire['spec']): string => (spec['properties'] as { n: string }).n;
const numberOfSolution = (spec: Wire['spec']): string =>
  (spec['components'] as { properties: { n: string } }[])[0]?.properties.n ?? '';

/** One client: what many programs do, on objects of its own and on those of all. */
async function client(index: number): Promise<void> {
  const shared = SHARED[index % SHARED.length] ?? 't0';
  const own = `own-${index}`;
  await send('POST', `/targets/registry/${own}`, { spec: { topologies: mockTopology(own) } });
  for (let round = 0; round < ROUNDS; round++) {
    await increment(`/targets/registry/${shared}`, numberOfTarget, (spec, n) => ({
      ...spec,
      properties: { n },
    }));
    await send('POST', `/instances/${own}`, {
      spec: { solution: 'app', target: { name: own }, parameters: { round: String(round) } },
    });
    // Everybody's, and without a condition: the last one wins, none is refused.
    const everybody = await send('POST', '/instances/everybody', {
      spec: { solution: 'app', target: { name: 'own-0' }, metadata: { by: own } },
    });
    expect([200, 409]).toContain(everybody.status);
    if (index % 8 === round % 8) {
      await increment('/solutions/app', numberOfSolution, (_, n) => ({
        components: [{ name: 'c', properties: { n } }],
      }));
      expect([200, 404]).toContain((await send('DELETE', '/instances/everybody')).status);
    }
    await send('POST', `/solution/queue?instance=${own}`);
    await send('PUT', `/targets/status/${shared}?client-${index}=${round}`);
    expect((await send<unknown[]>('GET', '/instances?limit=10')).body.length).toBeGreaterThan(0);
  }
  if (index % 2 === 0) expect((await send('DELETE', `/instances/${own}`)).status).toBe(200);
}

test(
  '64 clients write the same and different objects at once: no update is lost, nothing fails, all lanes settle',
  { timeout: ALL_MS },
  async () => {
    await Promise.all(Array.from({ length: CLIENTS }, (_, index) => client(index)));

    let increments = 0;
    for (const name of SHARED) {
      const { spec, status } = await engine.ok<Wire & { status: { properties: object } }>(
        'GET',
        `/targets/registry/${name}`,
      );
      increments += Number(numberOfTarget(spec));
      expect(Object.keys(status.properties)).toHaveLength(CLIENTS / SHARED.length);
    }
    expect(increments).toBe(CLIENTS * ROUNDS);
    const solution = await engine.get('solutions', 'app');
    const ordered = Array.from({ length: CLIENTS }, (_, index) =>
      Array.from({ length: ROUNDS }, (_r, round) => index % 8 === round % 8),
    )
      .flat()
      .filter(Boolean).length;
    expect(numberOfSolution(solution?.spec ?? {})).toBe(String(ordered));

    await engine.until(
      'all lanes to settle',
      async () => ((await unsettled()).length === 0 ? true : undefined),
      async () => (await unsettled()).slice(0, 3),
      SETTLE_MS,
    );
    const names = (await engine.ok<Wire[]>('GET', '/instances')).map(({ metadata }) => metadata.name);
    expect(names).toEqual(expect.arrayContaining([...SHARED.map((name) => `on-${name}`), 'own-1', 'own-63']));
    expect(names).not.toContain('own-0');
    for (const name of [...SHARED, 'own-1']) {
      const mock = mockControl(name);
      for (const { owner } of mock.calls) expect(mock.maxConcurrency(owner), owner).toBe(1);
      expect(mock.contents.map(({ properties }) => properties)).toEqual([{ n: String(ordered) }]);
    }
  },
);

/** Lanes that wait or run, and instances whose status does not speak of their newest generation. */
async function unsettled(): Promise<unknown[]> {
  const lanes = await engine.ok<{ state: string }[]>('GET', '/jobs?limit=1000');
  const instances = await engine.ok<Wire[]>('GET', '/instances');
  return [
    ...lanes.filter(({ state }) => state === 'running' || state === 'waiting'),
    ...instances.filter(
      ({ status, metadata }) =>
        status?.status !== 'Succeeded' || status.observedGeneration !== metadata.generation,
    ),
  ];
}
