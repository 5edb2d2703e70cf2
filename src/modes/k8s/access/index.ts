export { KubernetesAccess } from './kubernetes-access.js';
export { leaderWayOf, type LeaderWay } from './routes.js';
