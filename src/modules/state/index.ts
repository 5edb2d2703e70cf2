export { decodeToken, encodeToken, type ObjectPosition } from './continue-token.js';
export * from './effects.js';
export { stateSchemas } from './http/schemas.js';
export * from './object-store.js';
export { referencesOf } from './references.js';
export * from './selectors.js';
export { StateModule } from './state.module.js';
export * from './write-rules.js';
