import { reason, type Reason } from '@symphony/model';
import type { PlannedRun } from '../solution/index.js';

/** A few are enough to know what it is about; a plan (`GET …/plan`) lists them all. */
const MAX_NAMED = 10;

/** Why nothing is done for an object that somebody else has deployed, and what would be done. */
export function notAdopted(traces: string, would: string): Reason {
  return reason('NotAdopted', `Its traces: ${traces}. ${would}`);
}

export const DELETED_UNADOPTED =
  'It is being deleted, which removes nothing of it; symphony/deletion-policy: orphan lets it go as it is.';

/** What adopting would do, in words. */
export function adoptionText(run: PlannedRun): string {
  const { plan } = run;
  const actions = plan.steps.flatMap((step) => step.actions);
  const applied = actions.filter(({ kind }) => kind === 'create' || kind === 'update');
  const parts = [
    listed(
      'take over',
      applied.filter(({ target, component }) => run.isThere(target, component)),
    ),
    listed(
      'create',
      applied.filter(({ target, component }) => !run.isThere(target, component)),
    ),
    listed('leave alone for now', plan.kept),
  ].filter((part) => part !== '');
  return parts.length === 0 ? 'Adopting would change nothing.' : `Adopting would ${parts.join(', and ')}.`;
}

function listed(verb: string, items: readonly { target: string; component: string }[]): string {
  if (items.length === 0) return '';
  const names = items.slice(0, MAX_NAMED).map(({ target, component }) => `${component} on ${target}`);
  const more = items.length > MAX_NAMED ? ` and ${items.length - MAX_NAMED} more` : '';
  return `${verb} ${names.join(', ')}${more}`;
}
