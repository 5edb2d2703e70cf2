export { HeldRights } from './held-rights.js';
export { letRightsGo } from './let-rights-go.js';
