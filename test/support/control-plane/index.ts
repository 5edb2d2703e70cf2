export { KubernetesApiError, type KubernetesObject } from './api.js';
export { writes } from './audit-log.js';
export type { TestCluster } from './cluster.js';
export { describeControlPlane, describeKubernetes, freshNamespace } from './describe.js';
