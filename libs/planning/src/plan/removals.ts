import { reason, type LedgerEntry, type Reason } from '@symphony/model';
import type { PlanContext } from './context.js';
import type { Desired } from './desired.js';
import { PairMap } from './pair-map.js';

/** Something that the ledger holds and the deployment does not want there. */
export interface Removal {
  readonly entry: LedgerEntry;
  readonly reason: Reason;
  /** The desired component that takes this place; it is created only after this is gone. */
  readonly replacedBy: Desired | undefined;
  /** Why it is left alone in this run. */
  held: Reason | undefined;
}

export interface Removals {
  /** In the order of the components. */
  removals: Removal[];
  /** Entries that are not wanted, or cannot be applied, but must stay. */
  kept: { entry: LedgerEntry; reason: Reason }[];
  /** Set when the deployment came out empty and nobody confirmed it. */
  guard: Reason | undefined;
}

/** What of the ledger has to go, and why. */
export function judgeRemovals(context: PlanContext, desired: readonly Desired[]): Removals {
  const { deployment, deletingTargets } = context.input;
  const wanted = new Set(desired.map((item) => item.entry));
  const leftovers = context.sorted(context.ledger.filter((entry) => !wanted.has(entry)));
  if (deployment.removal) {
    const why = reason(deployment.removalReason ?? 'OwnerDeleting');
    return {
      removals: leftovers.map((entry) => removal(context, entry, why, undefined)),
      kept: [],
      guard: undefined,
    };
  }
  const result: Removals = { removals: [], kept: [], guard: undefined };
  if (leftovers.length === 0) return result;
  const gaps = new PairMap<Reason>();
  for (const gap of deployment.gaps) gaps.set(gap.target, gap.component, gap.reason);
  const takers = new PairMap<Desired>();
  for (const item of desired) takers.set(item.assignment.target, item.assignment.component, item);
  const empty = deployment.assignments.length === 0 && !deployment.allowEmpty;
  const guarded = new Set<string>();
  for (const entry of leftovers) {
    const gap = gaps.get(entry.targetName, entry.component);
    const replacedBy = takers.get(entry.targetName, entry.component);
    if (deletingTargets.has(entry.targetUid)) {
      result.removals.push(removal(context, entry, reason('TargetDeleting'), replacedBy));
    } else if (gap) {
      result.kept.push({ entry, reason: gap });
    } else if (empty) {
      guarded.add(entry.targetName);
      result.kept.push({ entry, reason: reason('EmptyDeployment') });
    } else {
      result.removals.push(removal(context, entry, reasonOf(context, entry, replacedBy), replacedBy));
    }
  }
  if (guarded.size > 0) {
    const where = [...guarded].sort().slice(0, 10).join(', ');
    result.guard = reason('EmptyDeployment', `What is deployed on ${where} was left as it is.`);
  }
  return result;
}

function removal(
  context: PlanContext,
  entry: LedgerEntry,
  why: Reason,
  replacedBy: Desired | undefined,
): Removal {
  const held = context.awaitedAt(entry, 'remove')?.reason ?? context.unavailable(entry.targetUid);
  return { entry, reason: why, replacedBy, held };
}

function reasonOf(context: PlanContext, entry: LedgerEntry, replacedBy: Desired | undefined): Reason {
  if (replacedBy) {
    const { assignment, targetUid } = replacedBy;
    if (targetUid !== entry.targetUid) {
      return reason('TargetNoLongerMatches', `Target ${JSON.stringify(entry.targetName)} was made anew.`);
    }
    return reason(
      'ProviderChanged',
      assignment.scope !== entry.scope
        ? `Its scope changed from ${JSON.stringify(entry.scope)} to ${JSON.stringify(assignment.scope)}.`
        : undefined,
    );
  }
  if (!context.components.has(entry.component)) return reason('Removed');
  const matched = context.targets.get(entry.targetName)?.uid === entry.targetUid;
  return reason(
    'TargetNoLongerMatches',
    matched ? 'Its constraint does not hold there any more.' : undefined,
  );
}
