/** The Lease of the leader, in the engine's own namespace. The chart grants it by this name. */
export const LEASE = 'symphony-engine';

/** The Secret with the signing key, beside it. The chart grants it by this name. */
export const SIGNING_KEY = 'symphony-engine-signing-key';
