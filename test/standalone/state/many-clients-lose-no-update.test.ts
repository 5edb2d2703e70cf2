import { request } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  fanOutsOf,
  instanceBody,
  solutionBody,
  startStateApp,
  type StateApp,
  targetBody,
} from './state-app.js';

const CLIENTS = 64;
const SHARED = 4;
const ROUNDS = 3;

let state: StateApp;
let base: string;

beforeAll(async () => {
  // Fewer connections than clients: they have to wait for each other there as well.
  state = await startStateApp('many_clients', 8);
  base = await state.app.listen(0, '127.0.0.1').then(() => state.app.getUrl());
});
afterAll(() => state.close());

interface Reply {
  status: number;
  etag: string;
  body: { metadata: { labels?: Record<string, string> }; spec: object };
}

/** Real sockets, each call its own. */
async function send(
  method: 'GET' | 'POST' | 'DELETE',
  path: string,
  body?: object,
  etag?: string,
): Promise<Reply> {
  const answer = await request(`${base}/v1alpha2/${path}`, {
    method,
    headers: { 'x-user': 'admin:administrator', ...(etag ? { 'if-match': etag } : {}) },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  const text = await answer.body.text();
  return {
    status: answer.statusCode,
    etag: String(answer.headers['etag']),
    body: text.startsWith('{') ? (JSON.parse(text) as Reply['body']) : { metadata: {}, spec: {} },
  };
}

/** Adds a label by reading and writing with If-Match until nobody was in between. */
async function addLabel(path: string, label: string, statuses: number[]): Promise<void> {
  for (;;) {
    const read = await send('GET', path);
    const labels = { ...read.body.metadata.labels, [label]: 'yes' };
    const { status } = await send('POST', path, { metadata: { labels }, spec: read.body.spec }, read.etag);
    statuses.push(status);
    if (status === 200) return;
    if (status !== 412) throw new Error(`unexpected ${status}`);
  }
}

test('64 clients on the same and on different objects: every update is there, nothing fails', async () => {
  const shared = Array.from({ length: SHARED }, (_, n) => `targets/registry/shared-${n}`);
  await Promise.all(shared.map((path) => send('POST', path, targetBody())));
  const statuses: number[] = [];

  await Promise.all(
    Array.from({ length: CLIENTS }, async (_, client) => {
      for (let round = 0; round < ROUNDS; round++) {
        const own = `own-${client}-${round}`;
        const results = await Promise.all([
          send('POST', `instances/${own}`, instanceBody()),
          send('POST', `solutions/common`, solutionBody({ version: own })),
          send('POST', `targets/ping/shared-${client % SHARED}`),
          addLabel(shared[(client + round) % SHARED] ?? '', own, statuses),
        ]);
        statuses.push(...results.flatMap((result) => (result ? [result.status] : [])));
        statuses.push((await send('DELETE', `instances/${own}`)).status);
      }
    }),
  );

  expect(statuses.filter((status) => status !== 200 && status !== 412)).toEqual([]);
  const reads = await Promise.all(shared.map((path) => send('GET', path)));
  const labels = reads.flatMap((read) => Object.keys(read.body.metadata.labels ?? {}));
  expect(labels).toHaveLength(CLIENTS * ROUNDS);
  expect(new Set(labels).size).toBe(CLIENTS * ROUNDS);

  const [lanes] = await state.database.query<{ removals: string }>(
    `SELECT count(*) AS removals FROM lanes WHERE kind = 'Instance' AND deleting AND generation = 2`,
  );
  expect(lanes).toEqual({ removals: String(CLIENTS * ROUNDS) });
  const [common] = await state.database.query<{ generation: string }>(
    `SELECT generation FROM objects WHERE name = 'common'`,
  );
  expect(common).toEqual({ generation: String(CLIENTS * ROUNDS) });
  expect((await fanOutsOf(state)).filter((name) => name === 'Solution/common')).toHaveLength(
    CLIENTS * ROUNDS,
  );
  const [deadlocks] = await state.database.query<{ deadlocks: string }>(
    'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()',
  );
  expect(deadlocks).toEqual({ deadlocks: '0' });
});

test('creators of one object with If-None-Match: exactly one succeeds', async () => {
  const answers = await Promise.all(
    Array.from({ length: CLIENTS }, (_, client) =>
      state.call('POST', 'solutions/one', {
        body: solutionBody({ version: `${client}` }),
        headers: { 'if-none-match': '*' },
      }),
    ),
  );
  const count = (status: number) => answers.filter((answer) => answer.status === status).length;
  expect({ created: count(200), refused: count(412) }).toEqual({ created: 1, refused: CLIENTS - 1 });
});

test('writes and deletions of one solution at the same time: every answer is 200 or 404', async () => {
  const answers = await Promise.all(
    Array.from({ length: CLIENTS }, (_, client) =>
      client % 2 === 0
        ? state.call('POST', 'solutions/flicker', { body: solutionBody({ version: `${client}` }) })
        : state.call('DELETE', 'solutions/flicker'),
    ),
  );
  expect(answers.map((answer) => answer.status).filter((status) => status !== 200 && status !== 404)).toEqual(
    [],
  );
});
