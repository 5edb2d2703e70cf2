export { type Role, ROLES } from './access-policy.js';
export { assertAuthUsable, type AuthOptions, type ConfiguredUser, isLoopback } from './auth-options.js';
export { type AccessOfMode, AuthModule } from './auth.module.js';
export { bearerTokenOf } from './bearer-token.js';
export { type Principal, principalOf, requireRole, requireRoute } from './principal.js';
export { RequestAccess } from './request-access.js';
export { SIGNING_KEY_BYTES, SigningKeyStore } from './signing-key-store.js';
