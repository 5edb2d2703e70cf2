export * from './api-client.js';
export { apiStatusOf, ApiUnavailableError, ExpiredError } from './api-errors.js';
export { backoffMs, type BackoffOptions } from './backoff.js';
export { fixedAccess, type ClusterAccess } from './cluster-access.js';
export { deadlineAfter, orAborted, pause } from './deadline.js';
export * from './kube-object.js';
export { listAll } from './list-all.js';
export { openAccess } from './open-access.js';
export type { RequestRecord } from './transport.js';
