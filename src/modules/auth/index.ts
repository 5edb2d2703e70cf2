export { type Role, ROLES } from './access-policy.js';
export { assertAuthUsable, type AuthOptions, type ConfiguredUser, isLoopback } from './auth-options.js';
export { AuthModule } from './auth.module.js';
export { principalOf, requireRole } from './principal.js';
export { SIGNING_KEY_BYTES, SigningKeyStore } from './signing-key-store.js';
