export type { Pictures } from './kubernetes-readiness.js';
export { Rest, type RestOptions, usersOf } from './rest.js';
