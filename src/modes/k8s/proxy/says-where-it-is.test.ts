import { expect, test } from 'vitest';
import { loadConfig } from '../../../config/index.js';
import { kubernetesReadiness } from './kubernetes-readiness.js';
import { ADDRESS_ANNOTATION, addressOf, leaseAnnotations, ownAddress } from './leader-address.js';
import { usersOf } from './rest.js';

const address = (given: string, family: 'IPv4' | 'IPv6', internal = false) =>
  ({ address: given, family, internal, netmask: '', mac: '', cidr: null, scopeid: 0 }) as never;
const interfaces = () => ({
  lo: [address('127.0.0.1', 'IPv4', true)],
  eth0: [address('fe80::1', 'IPv6'), address('fd00::7', 'IPv6'), address('10.1.2.3', 'IPv4')],
});
const listening = { host: '0.0.0.0', port: 8082, tls: true, env: {}, interfaces };

test.each<[string, object, string | undefined]>([
  ['as configured', { advertiseUrl: 'https://engine.example:1' }, 'https://engine.example:1'],
  ['where it listens', { host: '10.9.9.9', tls: false }, 'http://10.9.9.9:8082'],
  ['at the pod’s address', { env: { POD_IP: '10.5.5.5' } }, 'https://10.5.5.5:8082'],
  ['at the pod’s IPv6 address', { host: '::', env: { POD_IP: 'fd00::5' } }, 'https://[fd00::5]:8082'],
  ['at the machine’s first outer address', { host: '::' }, 'https://10.1.2.3:8082'],
  ['nowhere, without an outer address', { interfaces: () => ({}) }, undefined],
  ['nowhere, before it listens', { port: 0 }, undefined],
])('a replica is reached %s', (_what, options, expected) => {
  expect(ownAddress({ ...listening, ...options })).toBe(expected);
  expect(leaseAnnotations({ ...listening, ...options })).toEqual({ [ADDRESS_ANNOTATION]: expected ?? '' });
});

test.each<[string | undefined, string | undefined]>([
  ['https://10.1.2.3:8082', 'https://10.1.2.3:8082'],
  ['https://[fd00::5]:8082/', 'https://[fd00::5]:8082'],
  ['http://127.0.0.1:8082', 'http://127.0.0.1:8082'],
  ['http://[::1]:8082', 'http://[::1]:8082'],
  ['http://10.1.2.3:8082', undefined],
  ['http://127.0.0.1.example:8082', undefined],
  ['https://user:secret@10.1.2.3', undefined],
  ['https://10.1.2.3/path', undefined],
  ['https://10.1.2.3/?a=b', undefined],
  ['ftp://10.1.2.3', undefined],
  ['', undefined],
  [undefined, undefined],
])('a token is sent to %s only if that is safe', (given, expected) => {
  const annotations: Record<string, string> = given === undefined ? {} : { [ADDRESS_ANNOTATION]: given };
  expect(addressOf({ annotations })?.origin).toBe(expected);
});

test('readiness tells which caches are missing, who leads, and what is not heard of', async () => {
  const signal = AbortSignal.timeout(60_000);
  const state = { synced: true, connected: true, problem: undefined, refused: [] as string[] };
  const targets = { ...state };
  const instances = { ...state, synced: false };
  const leadership = { term: undefined, leader: undefined as never };
  let hasLanes = false;
  const check = kubernetesReadiness(
    { targets: () => targets, instances: () => instances },
    leadership,
    () => hasLanes,
  );
  expect(await check(signal)).toBe('Still reading instances from the cluster');
  instances.synced = true;
  expect(await check(signal)).toEqual({ detail: 'No replica leads; the caches are synced' });
  leadership.leader = { identity: 'engine-1_7_abc', epoch: 4, annotations: {} } as never;
  targets.connected = false;
  expect(await check(signal)).toEqual({
    detail:
      'engine-1_7_abc leads (term 4); the caches are synced, but do not hear of changes of targets at this moment',
  });
  leadership.term = { epoch: 5 } as never;
  targets.connected = true;
  // Only it knows the orders, and it has none yet.
  expect(await check(signal)).toEqual({
    detail: 'This replica begins to lead (term 5); the caches are synced',
  });
  hasLanes = true;
  expect(await check(signal)).toEqual({ detail: 'This replica leads (term 5); the caches are synced' });
  targets.refused = ['shop', 'factory'];
  instances.refused = ['shop'];
  expect(await check(signal)).toEqual({
    detail: 'This replica leads (term 5); the caches are synced; the engine has no rights in factory, shop',
  });
});

test.each<[string, object, boolean | RegExp]>([
  ['none by default', {}, false],
  ['with the password of the administrator', { adminPassword: 'p4ss' }, true],
  [
    'not without it: that would be an open administrator',
    { users: [{ name: 'ann', roles: [] }] },
    /SYMPHONY_ADMIN/,
  ],
  ['also on loopback, where the cluster is not asked', { authentication: false }, true],
  ['not elsewhere without it', { authentication: false, host: '0.0.0.0' }, /administrator password/],
])('our own users: %s', (_what, given, expected) => {
  const {
    authentication = true,
    host = '127.0.0.1',
    adminPassword,
    users = [],
  } = given as Partial<{
    authentication: boolean;
    host: string;
    adminPassword: string;
    users: { name: string; roles: string[] }[];
  }>;
  const { config } = loadConfig();
  const asked = {
    ...config,
    host,
    auth: { users, ...(adminPassword === undefined ? {} : { adminPassword }) },
    kubernetes: { ...config.kubernetes, authentication },
  };
  if (expected instanceof RegExp) expect(() => usersOf(asked)).toThrow(expected);
  else expect(usersOf(asked) !== undefined).toBe(expected);
});
