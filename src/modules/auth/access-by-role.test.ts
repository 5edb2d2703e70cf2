import { describe, expect, test } from 'vitest';
import { decideAccess, type Role, ROLES, segmentsOf } from './access-policy.js';
import { requireRoute } from './principal.js';

const A: Role = 'administrator';
const R: Role = 'reader';
const S: Role = 'solution-creator';
const T: Role = 'target-manager';
const O: Role = 'operator';

/** Every route of the engine, a method, and exactly who may. */
const MATRIX: readonly [method: string, route: string, roles: readonly Role[]][] = [
  ['GET', '/v1alpha2/targets/registry', [A, R, T]],
  ['HEAD', '/v1alpha2/targets/registry', [A, R, T]],
  ['POST', '/v1alpha2/targets/registry/:name', [A, T]],
  ['DELETE', '/v1alpha2/targets/registry/:name', [A, T]],
  ['PUT', '/v1alpha2/targets/status/:name/:component?', [A, T]],
  ['POST', '/v1alpha2/targets/ping/:name', [A, T]],
  ['GET', '/v1alpha2/targets/download/:docType/:name', [A, R, T]],
  ['GET', '/v1alpha2/solutions', [A, R, S]],
  ['POST', '/v1alpha2/solutions/:name', [A, S]],
  ['DELETE', '/v1alpha2/solutions/:name', [A, S]],
  ['POST', '/v1alpha2/solutioncontainers/:name', [A, S]],
  ['GET', '/v1alpha2/instances/:name', [A, R, O]],
  ['POST', '/v1alpha2/instances/:name', [A, O]],
  ['DELETE', '/v1alpha2/instances/:name', [A, O]],
  ['GET', '/v1alpha2/instances/:name/plan', [A, R, O]],
  ['GET', '/v1alpha2/solution/queue', [A, R, O]],
  ['POST', '/v1alpha2/solution/queue', [A, O]],
  ['DELETE', '/v1alpha2/solution/queue', [A, O]],
  ['GET', '/v1alpha2/solution/instances', [A, O]],
  ['POST', '/v1alpha2/solution/instances', [A, O]],
  ['DELETE', '/v1alpha2/solution/instances', [A, O]],
  ['GET', '/v1alpha2/solution/reconcile', [A, O]],
  ['POST', '/v1alpha2/solution/reconcile', [A, O]],
  ['GET', '/v1alpha2/jobs', [A, R, O]],
  ['POST', '/v1alpha2/jobs', [A, O]],
  ['GET', '/metrics', [A, R]],
  ['GET', '/v1alpha2/unheard-of', [A, R]],
  ['POST', '/v1alpha2/unheard-of', [A]],
  ['PROPFIND', '/v1alpha2/instances', [A, O]],
];

describe('who may do what', () => {
  test.each(MATRIX)('%s %s', (method, route, roles) => {
    const segments = segmentsOf(route, {});
    expect(ROLES.filter((role) => decideAccess([role], method, segments).allowed)).toEqual(roles);
    expect(decideAccess([], method, segments)).toEqual({ allowed: false, enough: roles });
  });

  test('several roles add up; a role that does not exist gives nothing', () => {
    const path = ['v1alpha2', 'targets', 'registry'];
    expect(decideAccess(['reader', 'target-manager'], 'POST', path).allowed).toBe(true);
    expect(decideAccess(['Administrator', 'admin', '*', ''], 'GET', path).allowed).toBe(false);
  });
});

describe('a path segment counts as a whole', () => {
  test.each([
    '/v1alpha2/targetsfoo',
    '/v1alpha2/targets%2Fregistry',
    '/v1alpha2/Targets',
    '/targetsx',
    '/v2/targets',
  ])('%s is none of the target manager’s business', (route) => {
    expect(decideAccess(['target-manager'], 'GET', segmentsOf(route, {})).allowed).toBe(false);
  });

  test('the value of a parameter is one segment, whatever slashes it holds', () => {
    expect(segmentsOf('/v1alpha2/:kind/:name?', { kind: 'solutions/../targets', name: 'a/b' })).toEqual([
      'v1alpha2',
      'solutions/../targets',
      'a/b',
    ]);
    expect(
      decideAccess(['target-manager'], 'GET', segmentsOf('/v1alpha2/:kind', { kind: 'targets' })).allowed,
    ).toBe(true);
    expect(
      decideAccess(['target-manager'], 'GET', segmentsOf('/v1alpha2/:kind', { kind: 'targets/../jobs' }))
        .allowed,
    ).toBe(false);
  });

  test('a parameter without a value matches no area', () => {
    expect(decideAccess(['operator'], 'POST', segmentsOf('/v1alpha2/solution/:verb', {})).allowed).toBe(
      false,
    );
  });
});

describe('what does the same as another route asks for the same', () => {
  const asks = (user: Parameters<typeof requireRoute>[0]['user']) => () =>
    requireRoute(user ? { user } : {}, 'DELETE', ['v1alpha2', 'targets', 'registry', 't']);

  test('by roles, naming those that may', () => {
    expect(asks({ name: 'tom', roles: [O, T] })).not.toThrow();
    expect(asks({ name: 'olga', roles: [O, R] })).toThrow(
      'This does what DELETE /v1alpha2/targets/registry/t does, which "olga" (operator, reader) may not; administrator or target-manager may.',
    );
    expect(asks(undefined)).toThrow('This needs a token');
  });

  test('whoever the cluster has cleared for this request needs no role', () => {
    expect(asks({ name: 'system:serviceaccount:shop:ann', roles: [], cleared: true })).not.toThrow();
    expect(asks({ name: 'system:serviceaccount:shop:ann', roles: [] })).toThrow('may not');
  });
});
