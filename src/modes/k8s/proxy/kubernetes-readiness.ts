import type { ReadinessCheck } from '../../../modules/health/index.js';
import type { Leadership } from '../leadership/index.js';
import type { ReflectorState } from '../reflector/index.js';

/** Pictures of the cluster, by what they show: `targets`, `instances`. */
export type Pictures = Readonly<Record<string, () => ReflectorState>>;

/**
 * The readiness of this mode: every picture was complete once. Who leads, whether the pictures are kept up at this moment, and in
 * which namespaces the engine has no rights, is told beside. None of it takes the replica out of service: without a leader all but
 * a few routes work, a replica whose connection is cut for a moment answers best by itself (all would be cut at once), and a
 * namespace without rights is no reason to stop in the others.
 */
export function kubernetesReadiness(
  pictures: Pictures,
  leadership: Pick<Leadership, 'term' | 'leader'>,
  /** Whether the lanes of this replica's term are made. */
  hasLanes: () => boolean,
): ReadinessCheck {
  return async () => {
    const states = Object.entries(pictures).map(([name, state]) => ({ name, ...state() }));
    const missing = states.filter(({ synced }) => !synced);
    if (missing.length > 0) {
      return `Still reading ${missing.map(({ name }) => name).join(', ')} from the cluster`;
    }
    const behind = states.filter(({ connected }) => !connected).map(({ name }) => name);
    const seen =
      behind.length === 0
        ? 'the caches are synced'
        : `the caches are synced, but do not hear of changes of ${behind.join(', ')} at this moment`;
    return { detail: `${whoLeads(leadership, hasLanes)}; ${seen}${whereRefused(states)}` };
  };
}

function whereRefused(states: readonly Pick<ReflectorState, 'refused'>[]): string {
  const refused = [...new Set(states.flatMap((state) => state.refused))].toSorted();
  return refused.length === 0 ? '' : `; the engine has no rights in ${refused.join(', ')}`;
}

function whoLeads({ term, leader }: Pick<Leadership, 'term' | 'leader'>, hasLanes: () => boolean): string {
  if (term && !hasLanes()) return `This replica begins to lead (term ${term.epoch})`;
  if (term) return `This replica leads (term ${term.epoch})`;
  return leader ? `${leader.identity} leads (term ${leader.epoch})` : 'No replica leads';
}
