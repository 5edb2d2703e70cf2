export * from './api-client.js';
export {
  ApiStatusError,
  apiStatusOf,
  ApiUnavailableError,
  ExpiredError,
  type KubeStatus,
} from './api-errors.js';
export { backoffMs, type BackoffOptions } from './backoff.js';
export { ClusterConfigError, fixedAccess, type ClusterAccess, type Credentials } from './cluster-access.js';
export { deadlineAfter, orAborted, pause } from './deadline.js';
export * from './kube-object.js';
export { listAll } from './list-all.js';
export { openAccess, type AccessOptions } from './open-access.js';
export type { RequestRecord, Verb } from './transport.js';
