export { KubernetesAccess } from './kubernetes-access.js';
export { leaderMsOf } from './routes.js';
