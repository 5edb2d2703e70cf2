import type { MigrationInterface } from 'typeorm';
import { Objects1700000001000 } from './1700000001000-objects.js';
import { Lanes1700000002000 } from './1700000002000-lanes.js';
import { Runs1700000003000 } from './1700000003000-runs.js';
import { Auth1700000004000 } from './1700000004000-auth.js';
import { TargetSlots1700000005000 } from './1700000005000-target-slots.js';
import { PendingOutcomes1700000006000 } from './1700000006000-pending-outcomes.js';
import { SilentTargets1700000007000 } from './1700000007000-silent-targets.js';
import { PeriodicLooks1700000008000 } from './1700000008000-periodic-looks.js';

/** Every migration, the oldest first. A released one is never changed: the next one corrects it. */
export const MIGRATIONS: readonly (new () => MigrationInterface)[] = [
  Objects1700000001000,
  Lanes1700000002000,
  Runs1700000003000,
  Auth1700000004000,
  TargetSlots1700000005000,
  PendingOutcomes1700000006000,
  SilentTargets1700000007000,
  PeriodicLooks1700000008000,
];
