import { InvalidInputError } from '@symphony/model';
import { expect, it } from 'vitest';
import { CONFIG_MAPS } from '../../../../test/k8s/client/config-maps.js';
import { LEASES } from '../leadership/lease.js';
import { collectionPath, objectPath, queryOf } from './resource-path.js';

it('core and named groups, one namespace and all', () => {
  expect(objectPath(CONFIG_MAPS, { namespace: 'a', name: 'b' })).toBe('/api/v1/namespaces/a/configmaps/b');
  expect(collectionPath(LEASES, undefined)).toBe('/apis/coordination.k8s.io/v1/leases');
  expect(objectPath(LEASES, { namespace: 'a', name: '33405cb8.symphony' }, 'status')).toBe(
    '/apis/coordination.k8s.io/v1/namespaces/a/leases/33405cb8.symphony/status',
  );
});

it.each(['', '.', '..', 'a/b', '../../secrets/x', 'a%2fb'])(
  'refuses %j as a name and as a namespace',
  (name) => {
    expect(() => objectPath(CONFIG_MAPS, { namespace: 'a', name })).toThrow(InvalidInputError);
    expect(() => objectPath(CONFIG_MAPS, { namespace: name, name: 'b' })).toThrow(InvalidInputError);
  },
);

it('what would be read as a query is part of the name', () => {
  expect(objectPath(CONFIG_MAPS, { namespace: 'a', name: 'b?watch=1#x' })).toBe(
    '/api/v1/namespaces/a/configmaps/b%3Fwatch%3D1%23x',
  );
  expect(queryOf({ labelSelector: 'a=b&limit=1', limit: undefined })).toBe(
    '?labelSelector=a%3Db%26limit%3D1',
  );
});
