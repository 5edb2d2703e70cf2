import type { ResourceType } from '../client/index.js';

const GROUP = { group: 'rbac.authorization.k8s.io', version: 'v1', namespaced: true } as const;

export const ROLE_TYPE: ResourceType = { ...GROUP, plural: 'roles', kind: 'Role' };
export const ROLE_BINDING_TYPE: ResourceType = {
  ...GROUP,
  plural: 'rolebindings',
  kind: 'RoleBinding',
};

/** Keeps what gives the engine its rights in a namespace while that is being deleted and something of ours is left in it. */
export const RIGHTS_FINALIZER = 'rights.engine.symphony/finalizer';
