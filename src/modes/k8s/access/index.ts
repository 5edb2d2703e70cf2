export { KubernetesAccess, type KubernetesAccessOptions } from './kubernetes-access.js';
export { ruleOf } from './routes.js';
