import {
  reason,
  type Assignment,
  type ComponentSpec,
  type FieldDiff,
  type LedgerEntry,
  type Reason,
  type ResolvedComponent,
} from '@symphony/model';
import { diffFields, maskDiffs } from '../diff.js';
import type { PlanContext } from './context.js';

/** What is to be done about a desired component. */
type Verdict =
  | { kind: 'create' | 'update'; reason: Reason; diff: FieldDiff[] }
  /** As declared: others may rely on it. */
  | { kind: 'there'; reason: Reason }
  /** Left alone although it may not be as declared: others may not rely on it. */
  | { kind: 'waits'; reason: Reason };

/** One component that belongs on one target. */
export interface Desired {
  readonly assignment: Assignment;
  readonly targetUid: string;
  readonly component: ComponentSpec;
  /** What the ledger holds for exactly this place. */
  readonly entry: LedgerEntry | undefined;
  verdict: Verdict;
}

/** Judges every assignment by itself; what it depends on comes later. In component order, then by target. */
export function judgeAssignments(context: PlanContext): Desired[] {
  const { deployment } = context.input;
  if (deployment.removal) return [];
  return deployment.assignments.map((assignment) => {
    const { uid } = context.targetNamed(assignment.target);
    const entry = context.entryAt(assignment, uid);
    const component = context.componentNamed(assignment.component);
    return {
      assignment,
      targetUid: uid,
      component,
      entry,
      verdict: judge(context, assignment, uid, component, entry),
    };
  });
}

function judge(
  context: PlanContext,
  assignment: Assignment,
  targetUid: string,
  component: ComponentSpec,
  entry: LedgerEntry | undefined,
): Verdict {
  const resolved = context.resolvedOf(assignment.target, component.name);
  // Whoever has accepted it may be out of reach for days; that its target is, is no news then.
  const awaited = entry && context.awaitedAt(entry, 'apply');
  if (awaited && 'digest' in resolved && awaited.digest === resolved.digest) {
    return { kind: 'waits', reason: awaited.reason };
  }
  const unavailable = context.unavailable(targetUid);
  if (unavailable) return { kind: 'waits', reason: unavailable };
  if ('code' in resolved) return { kind: 'waits', reason: resolved };
  const seen = context.observationOf(targetUid, assignment.role, assignment.bindingHash);
  if (!seen.readable) return { kind: 'waits', reason: seen.reason };
  if (!entry) return { kind: 'create', reason: reason('NotDeployed'), diff: [] };
  const observed = seen.components.get(component.name);
  const kind = observed ? 'update' : 'create';
  if (entry.state !== 'applied') return { kind, reason: reason('Unfinished'), diff: [] };
  const drift = observed ? driftOf(context, assignment, resolved, observed) : [];
  if (!Array.isArray(drift)) return { kind: 'waits', reason: drift };
  if (entry.digest !== resolved.digest) return { kind, ...changeOf(entry, component, resolved, drift) };
  if (!observed) return { kind: 'create', reason: reason('Missing'), diff: [] };
  if (drift.length > 0) return { kind: 'update', reason: reason('Drifted'), diff: drift };
  if (context.input.forceRedeploy.has(targetUid)) {
    return { kind: 'update', reason: reason('ForceRedeploy'), diff: [] };
  }
  return { kind: 'there', reason: reason('UpToDate') };
}

/** Declarations are shown unresolved; where they are the same, a value that they refer to must have changed. */
function changeOf(
  entry: LedgerEntry,
  component: ComponentSpec,
  resolved: ResolvedComponent,
  drift: FieldDiff[],
): { reason: Reason; diff: FieldDiff[] } {
  const diff = diffFields(entry.applied, component, resolved.sensitive);
  return diff.length === 0
    ? { reason: reason('ValueChanged'), diff: drift }
    : { reason: reason('SpecChanged'), diff };
}

/** A provider's rules are code: where they fail, this component waits, and the plan of all others stands. */
function driftOf(
  context: PlanContext,
  assignment: Assignment,
  resolved: ResolvedComponent,
  observed: ComponentSpec,
): FieldDiff[] | Reason {
  try {
    return maskDiffs(context.input.differs(assignment, resolved.component, observed), resolved.sensitive);
  } catch {
    // Without the message: it may quote a value.
    return reason('InternalError', 'The comparison with what the target reports failed.');
  }
}
