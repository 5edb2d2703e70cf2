import { reason, type Reason } from '@symphony/model';
import type { PlanContext } from './context.js';
import type { Desired } from './desired.js';
import { PairLists } from './pair-map.js';
import type { Removal } from './removals.js';

/** Where each desired component belongs: component, target name, and what is to be done there (a reason: a gap). */
export type Places = ReadonlyMap<string, ReadonlyMap<string, Desired | Reason>>;

export function placesOf(context: PlanContext, desired: readonly Desired[]): Places {
  const places = new Map<string, Map<string, Desired | Reason>>();
  const put = (component: string, target: string, what: Desired | Reason): void => {
    const known = places.get(component);
    if (known) known.set(target, what);
    else places.set(component, new Map([[target, what]]));
  };
  const { deployment } = context.input;
  if (!deployment.removal) for (const gap of deployment.gaps) put(gap.component, gap.target, gap.reason);
  for (const item of desired) put(item.assignment.component, item.assignment.target, item);
  return places;
}

export function isApply(what: Desired | Reason): what is Desired {
  return isAssigned(what) && (what.verdict.kind === 'create' || what.verdict.kind === 'update');
}

function isAssigned(what: Desired | Reason): what is Desired {
  return 'verdict' in what;
}

/**
 * Finds what each apply has to wait for: a dependency on the same target where that target has it, else on every target
 * that has it. An apply whose dependency is not there and is not being applied waits for a later run.
 */
export function settleDependencies(
  context: PlanContext,
  places: Places,
  removals: readonly Removal[],
): Map<Desired, Desired[]> {
  const requirements = new Map<Desired, Desired[]>();
  const stuck = new Set(removals.filter((item) => item.held).map((item) => item.replacedBy));
  // In dependency order, so that whatever is blocked is known before those that depend on it are looked at.
  for (const component of context.input.deployment.components) {
    const dependencies = [...new Set(component.dependencies)];
    for (const item of places.get(component.name)?.values() ?? []) {
      if (!isApply(item)) continue;
      const requires: Desired[] = [];
      const why =
        stuck.has(item) && item.verdict.kind === 'create'
          ? 'What it replaces cannot be removed now.'
          : firstMissing(places, item, dependencies, requires);
      if (why === undefined) requirements.set(item, requires);
      else item.verdict = { kind: 'waits', reason: reason('DependencyFailed', why) };
    }
  }
  return requirements;
}

/** A sentence about the first dependency that is not there; those that are being applied go to `requires`. */
function firstMissing(
  places: Places,
  item: Desired,
  dependencies: readonly string[],
  requires: Desired[],
): string | undefined {
  for (const dependency of dependencies) {
    // Assigned nowhere (its constraint holds on no target): nothing to wait for.
    const everywhere = places.get(dependency);
    const here = everywhere?.get(item.assignment.target);
    const relevant = here ? [[item.assignment.target, here] as const] : (everywhere ?? []);
    for (const [target, what] of relevant) {
      if (isApply(what)) requires.push(what);
      else if (!isAssigned(what) || what.verdict.kind === 'waits') {
        return `It depends on ${JSON.stringify(dependency)} on target ${JSON.stringify(target)}.`;
      }
    }
  }
  return undefined;
}

/** What the removal of a component has to do with its other places. */
export interface Move {
  /** Applies on other targets. */
  applies: Desired[];
  /** It is not yet anywhere else: those applies have to succeed first. */
  only: boolean;
}

/** Undefined when something takes its place, or the component belongs nowhere else. */
export function moveOf(places: Places, removal: Removal): Move | undefined {
  if (removal.replacedBy) return undefined;
  const elsewhere = [...(places.get(removal.entry.component)?.values() ?? [])];
  if (elsewhere.length === 0) return undefined;
  const secured = elsewhere.some(
    (what) => isAssigned(what) && (what.verdict.kind === 'there' || what.entry?.state === 'applied'),
  );
  return { applies: elsewhere.filter(isApply), only: !secured };
}

const NONE: readonly Removal[] = [];

/** Which removals a component's removal has to precede, by the dependencies that were recorded when it was applied. */
export class RecordedDependencies {
  /** By uid of the target and component. */
  private readonly at = new PairLists<Removal>();
  private readonly everywhere = new Map<string, Removal[]>();

  constructor(
    private readonly context: PlanContext,
    removals: readonly Removal[],
  ) {
    for (const removal of removals) {
      const { targetUid, component } = removal.entry;
      this.at.add(targetUid, component, removal);
      const known = this.everywhere.get(component);
      if (known) known.push(removal);
      else this.everywhere.set(component, [removal]);
    }
  }

  /** The removals of what was applied as a dependency of this entry. */
  prerequisites({ targetUid, applied }: Removal['entry']): readonly Removal[] {
    const { dependencies } = applied;
    if (!dependencies || dependencies.length === 0 || this.everywhere.size === 0) return NONE;
    return [...new Set(dependencies)].flatMap((dependency) =>
      this.context.holds(targetUid, dependency)
        ? this.at.of(targetUid, dependency)
        : (this.everywhere.get(dependency) ?? NONE),
    );
  }
}

/** Holds back the removals that would leave something worse off than before. */
export function holdRemovals(
  places: Places,
  removals: readonly Removal[],
  recorded: RecordedDependencies,
): void {
  for (const removal of removals) {
    if (removal.held) continue;
    const { replacedBy } = removal;
    if (replacedBy?.verdict.kind === 'waits' && !replacedBy.entry) {
      removal.held = reason('DependencyFailed', 'What takes its place cannot be created now.');
      continue;
    }
    const move = moveOf(places, removal);
    if (move?.only && move.applies.length === 0) {
      removal.held = reason('DependencyFailed', 'It moves to a target where it cannot be created now.');
    }
  }
  // What something still relies on stays, and so does what that relies on.
  const queue = removals.filter((removal) => removal.held && !removal.replacedBy);
  for (const dependent of queue) {
    for (const removal of recorded.prerequisites(dependent.entry)) {
      if (removal.held || removal.replacedBy) continue;
      const { component, targetName } = dependent.entry;
      const detail = `${JSON.stringify(component)} on target ${JSON.stringify(targetName)} depends on it and cannot be removed now.`;
      removal.held = reason('DependencyFailed', detail);
      queue.push(removal);
    }
  }
}
