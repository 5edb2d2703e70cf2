import type { MigrationInterface } from 'typeorm';
import { Objects1763856000000 } from './1763856000000-objects.js';

/** Every migration, the oldest first. A released one is never changed: the next one corrects it. */
export const MIGRATIONS: readonly (new () => MigrationInterface)[] = [Objects1763856000000];
