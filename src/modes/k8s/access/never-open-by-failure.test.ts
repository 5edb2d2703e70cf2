import { AccessError, UnavailableError } from '@symphony/model';
import type { FastifyRequest } from 'fastify';
import { describe, expect, test } from 'vitest';
import { RequestAccess } from '../../../modules/auth/index.js';
import { ApiUnavailableError } from '../client/index.js';
import { AccessReviews, ALLOWED_READ_MS } from './access-reviews.js';
import { ExpiringCache } from './expiring-cache.js';
import { KubernetesAccess } from './kubernetes-access.js';
import { need } from './needs.js';
import type { ReviewClient } from './reviewer.js';
import { TokenReviews } from './token-reviews.js';

type Review = { spec: Record<string, unknown>; status?: unknown };
/** Answers reviews like an API server that is not well; tells what it was asked. */
class Cluster implements ReviewClient {
  readonly asked: { plural: string; spec: Review['spec'] }[] = [];
  constructor(private readonly answer: (plural: string, spec: Review['spec']) => unknown) {}
  create: ReviewClient['create'] = async (type, object) => {
    const { spec } = object as unknown as Review;
    this.asked.push({ plural: type.plural, spec });
    const answered: object = { ...object, status: await this.answer(type.plural, spec) };
    return answered as typeof object;
  };
}

const KNOWN = { authenticated: true, user: { username: 'ann' }, audiences: ['symphony'] };
const silent = { warn: () => undefined };

function jwt(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'none' })}.${part(claims)}.c2ln`;
}

function request(change: Partial<Record<keyof FastifyRequest, unknown>> = {}): FastifyRequest {
  return {
    method: 'GET',
    headers: { authorization: 'Bearer some-token' },
    routeOptions: { url: '/v1alpha2/instances/:name' },
    params: { name: 'web' },
    query: {},
    body: undefined,
    raw: { socket: { remoteAddress: '127.0.0.1' } },
    ...change,
  } as unknown as FastifyRequest;
}

function accessTo(
  cluster: ReviewClient,
  users?: RequestAccess,
  log: { warn(fields: object): void } = silent,
) {
  return new KubernetesAccess({ client: cluster, audiences: ['symphony'], users, log });
}

const answers = (token: unknown, access: unknown) =>
  new Cluster((plural) => (plural === 'tokenreviews' ? token : access));

test('let through is only who is known and allowed', async () => {
  const cluster = answers(KNOWN, { allowed: true });
  expect(await accessTo(cluster).admit(request())).toEqual({ name: 'ann', roles: [], cleared: true });
  expect(cluster.asked).toEqual([
    { plural: 'tokenreviews', spec: { token: 'some-token', audiences: ['symphony'] } },
    {
      plural: 'subjectaccessreviews',
      spec: {
        user: 'ann',
        resourceAttributes: {
          verb: 'get',
          group: 'solution.symphony',
          version: 'v1',
          resource: 'instances',
          namespace: 'default',
          name: 'web',
        },
      },
    },
  ]);
});

test.each<[string, unknown]>([
  ['no status', undefined],
  ['not authenticated', { authenticated: false, user: { username: 'ann' }, audiences: ['symphony'] }],
  ['authenticated in a way of its own', { ...KNOWN, authenticated: 'true' }],
  ['nobody', { authenticated: true, audiences: ['symphony'] }],
  ['a user without a name', { authenticated: true, user: { username: '' }, audiences: ['symphony'] }],
  ['a token for somebody else', { ...KNOWN, audiences: ['https://kubernetes.default.svc'] }],
  ['an authenticator that knows no audiences', { authenticated: true, user: { username: 'ann' } }],
])('401: %s', async (_what, status) => {
  await expect(accessTo(answers(status, { allowed: true })).admit(request())).rejects.toMatchObject({
    status: 401,
    code: 'TokenInvalid',
  });
});

test.each<[string, unknown]>([
  ['no status', undefined],
  ['not allowed', { allowed: false }],
  ['allowed in a way of its own', { allowed: 'true' }],
  ['allowed and denied', { allowed: true, denied: true }],
])('403: %s', async (_what, status) => {
  await expect(accessTo(answers(KNOWN, status)).admit(request())).rejects.toMatchObject({
    status: 403,
    code: 'Forbidden',
    message: expect.stringMatching(
      /"ann" may not get instances\.solution\.symphony "web" in namespace "default"/,
    ),
  });
});

test('403 for a route without a rule, whatever the cluster says', async () => {
  const access = accessTo(answers(KNOWN, { allowed: true }));
  for (const url of ['/v1alpha2/unheard-of', undefined]) {
    await expect(access.admit(request({ routeOptions: { url } }))).rejects.toMatchObject({ status: 403 });
  }
});

test.each<[string, Error]>([
  ['it does not answer', new ApiUnavailableError('away', 'KubernetesUnreachable', 'unknown')],
  ['the engine lacks the right to ask', new AccessError(403, 'tokenreviews is forbidden')],
  ['it answers nonsense', new TypeError('x is undefined')],
])('503 when the cluster cannot be asked, and one line of the log: %s', async (_what, error) => {
  const lines: object[] = [];
  for (const failing of ['tokenreviews', 'subjectaccessreviews']) {
    const cluster = new Cluster((plural) => (plural === failing ? Promise.reject(error) : KNOWN));
    const access = accessTo(cluster, undefined, { warn: (fields) => void lines.push(fields) });
    for (let time = 0; time < 3; time += 1) {
      await expect(access.admit(request())).rejects.toBeInstanceOf(UnavailableError);
    }
  }
  expect(lines).toHaveLength(2);
  expect(JSON.stringify(lines)).not.toContain('some-token');
});

describe('tokens on plain HTTP', () => {
  const access = accessTo(answers(KNOWN, { allowed: true }));
  test.each(['127.0.0.1', '::1', '::ffff:127.0.0.1'])(
    'are taken from this machine: %s',
    async (remoteAddress) => {
      await expect(access.admit(request({ raw: { socket: { remoteAddress } } }))).resolves.toBeDefined();
    },
  );
  test.each(['10.0.0.7', '::ffff:10.0.0.7', 'fd00::1', '127.0.0.1.example', undefined])(
    'are refused from elsewhere, without asking the cluster: %s',
    async (remoteAddress) => {
      const cluster = answers(KNOWN, { allowed: true });
      const from = request({
        raw: { socket: { remoteAddress } },
        headers: { authorization: 'Bearer some-token', 'x-forwarded-proto': 'https' },
      });
      for (const ask of [accessTo(cluster).admit(from), accessTo(cluster).identify(from)]) {
        await expect(ask).rejects.toMatchObject({ status: 403, code: 'TlsRequired' });
      }
      expect(cluster.asked).toEqual([]);
    },
  );
});

describe('our own users', () => {
  class Users extends RequestAccess {
    override identify = () => Promise.resolve({ name: 'admin', roles: [] });
    override admit = () => Promise.reject(new AccessError(401, 'forged', 'TokenInvalid'));
  }
  const ours = request({ headers: { authorization: `Bearer ${jwt({ iss: 'symphony' })}` } });

  test('are asked about tokens that say to be theirs, and the cluster is not', async () => {
    const cluster = answers(KNOWN, { allowed: true });
    await expect(accessTo(cluster, new Users()).admit(ours)).rejects.toThrow('forged');
    expect(cluster.asked).toEqual([]);
  });

  test('are not there unless configured: then the cluster is asked, which knows no such token', async () => {
    const cluster = answers({ authenticated: false }, { allowed: true });
    await expect(accessTo(cluster).admit(ours)).rejects.toMatchObject({ status: 401 });
    expect(cluster.asked).toHaveLength(1);
  });
});

describe('what is remembered', () => {
  const of = (cluster: Cluster) => ({
    ask: async (type: { plural: string }, review: object) => cluster.create(type as never, review as never),
  });

  test('a good token is asked for once, also by many at a time; a refused one is not asked for at each guess', async () => {
    for (const status of [KNOWN, { authenticated: false }]) {
      const cluster = answers(status, undefined);
      const tokens = new TokenReviews(of(cluster) as never, ['symphony']);
      await Promise.all(Array.from({ length: 20 }, () => tokens.userOf('a')));
      await tokens.userOf('a');
      expect(cluster.asked).toHaveLength(1);
      await tokens.userOf('b');
      expect(cluster.asked).toHaveLength(2);
    }
  });

  test('a token is good no longer than it says, also when the clock jumps', async () => {
    let now = 1_000_000_000_000;
    const cluster = answers(KNOWN, undefined);
    const tokens = new TokenReviews(of(cluster) as never, ['symphony'], () => now);
    const token = jwt({ exp: now / 1000 + 3 });
    await tokens.userOf(token);
    await tokens.userOf(token);
    expect(cluster.asked).toHaveLength(1);
    now += 3_000;
    await tokens.userOf(token);
    await tokens.userOf(token);
    // Ended by our clock: not remembered at all, the cluster decides.
    expect(cluster.asked).toHaveLength(3);
  });

  test('a failure is remembered by nobody', async () => {
    let broken = true;
    const cluster = new Cluster(() => (broken ? Promise.reject(new Error('away')) : KNOWN));
    const tokens = new TokenReviews(of(cluster) as never, ['symphony']);
    await expect(tokens.userOf('a')).rejects.toThrow('away');
    broken = false;
    expect(await tokens.userOf('a')).toEqual({ username: 'ann' });
  });

  test('of rights only allowed reads; never across users, groups, names or verbs', async () => {
    const cluster = answers(undefined, { allowed: true });
    const reviews = new AccessReviews(of(cluster) as never);
    const ann = { username: 'ann', groups: ['a'] };
    const read = need('get', 'Instance', { namespace: 'shop', name: 'web' });
    const ask = async (...args: Parameters<AccessReviews['allows']>): Promise<number> => {
      const before = cluster.asked.length;
      expect(await reviews.allows(...args)).toBe(true);
      return cluster.asked.length - before;
    };
    expect(await ask(ann, read)).toBe(1);
    expect(await ask(ann, read)).toBe(0);
    expect(await ask({ ...ann, groups: ['b'] }, read)).toBe(1);
    expect(await ask({ ...ann, username: 'bob' }, read)).toBe(1);
    expect(await ask({ ...ann, extra: { scope: ['x'] } }, read)).toBe(1);
    expect(await ask(ann, { ...read, name: 'other' })).toBe(1);
    expect(await ask(ann, { ...read, namespace: undefined })).toBe(1);
    for (let time = 0; time < 2; time += 1) expect(await ask(ann, { ...read, verb: 'update' })).toBe(1);
    expect(ALLOWED_READ_MS).toBeLessThanOrEqual(10_000);
  });

  test('a refusal is asked for each time', async () => {
    let allowed = false;
    const reviews = new AccessReviews(of(new Cluster(() => ({ allowed }))) as never);
    const read = need('list', 'Target', { namespace: 'shop' });
    expect(await reviews.allows({ username: 'ann' }, read)).toBe(false);
    allowed = true;
    expect(await reviews.allows({ username: 'ann' }, read)).toBe(true);
  });

  test('not more than so many, and not for longer than was said', () => {
    let now = 0;
    const cache = new ExpiringCache<number>(3, () => now);
    for (let key = 1; key <= 5; key += 1) cache.set(String(key), key, 10);
    expect([cache.size, cache.get('2'), cache.get('3'), cache.get('5')]).toEqual([3, undefined, 3, 5]);
    now = 10;
    expect([cache.get('5'), cache.size]).toEqual([undefined, 2]);
    for (const ms of [0, -1, NaN]) {
      cache.set('x', 1, ms);
      expect(cache.get('x')).toBeUndefined();
    }
  });
});

test('a list of all namespaces asks for each that the engine serves', async () => {
  const cluster = answers(KNOWN, { allowed: true });
  const access = new KubernetesAccess({
    client: cluster,
    audiences: ['symphony'],
    namespaces: ['a', 'b'],
    log: silent,
  });
  await access.admit(request({ routeOptions: { url: '/v1alpha2/instances' }, params: {} }));
  const asked = cluster.asked.slice(1).map(({ spec }) => spec['resourceAttributes']);
  expect(asked).toMatchObject([
    { verb: 'list', namespace: 'a' },
    { verb: 'list', namespace: 'b' },
  ]);
});
