export { KubernetesAccess } from './kubernetes-access.js';
export { refuseLoginsOnPlainHttp, UsersOverTls } from './users-over-tls.js';
export { leaderWayOf, type LeaderWay } from './routes.js';
