import type { MigrationInterface } from 'typeorm';
import { Lanes1700000002000 } from './1700000002000-lanes.js';
import { Auth1700000004000 } from './1700000004000-auth.js';
import { Objects1763856000000 } from './1763856000000-objects.js';

/** Every migration, the oldest first. A released one is never changed: the next one corrects it. */
export const MIGRATIONS: readonly (new () => MigrationInterface)[] = [
  Lanes1700000002000,
  Objects1763856000000,
  Auth1700000004000,
];
