export { KubernetesAccess, type KubernetesAccessOptions } from './kubernetes-access.js';
export { leaderMsOf } from './routes.js';
