export { kubernetesReadiness, type Pictures } from './kubernetes-readiness.js';
export { leaseAnnotations, type ListeningOptions } from './leader-address.js';
export { LeaderConnections, type LeaderTrustOptions } from './leader-connections.js';
export { LeaderProxy, type LeaderProxyOptions } from './leader-proxy.js';
