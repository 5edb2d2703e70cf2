import { roleOf, type Action, type LedgerEntry, type Plan, type Reason } from '@symphony/model';
import { pairKey, PlanContext } from './context.js';
import { holdRemovals, placesOf, RecordedDependencies, settleDependencies } from './dependencies.js';
import { judgeAssignments, type Desired } from './desired.js';
import type { PlanInput } from './input.js';
import { judgeRemovals } from './removals.js';
import { groupIntoSteps } from './steps.js';
import { linkWork, type Work, type WorkGraph } from './work.js';

/**
 * What to do so that reality becomes the desired state: a pure function, the same input gives the same plan.
 *
 * Steps come in an order in which they could be carried out one by one; those that are not linked by `after` may run at the
 * same time. `requires` and `follows` of an action name actions of other steps or earlier ones of its own; `after` of a step
 * covers both, and also keeps plain removals on a target behind the applies there.
 *
 * @throws DeploymentError `InvalidDeployment` when assignments name what the deployment does not list.
 */
export function plan(input: PlanInput): Plan {
  const context = new PlanContext(input);
  const desired = judgeAssignments(context);
  const { removals, kept, guard } = judgeRemovals(context, desired);
  const places = placesOf(context, desired);
  const requirements = settleDependencies(context, places, removals);
  const recorded = new RecordedDependencies(context, removals);
  holdRemovals(places, removals, recorded);
  const graph = linkWork(context, places, requirements, removals, recorded);

  const ids = new Ids();
  const actions = actionsOf(graph, ids);
  const keeps = desired.flatMap((item) => keptAssignment(item, ids));
  for (const { entry, reason: why } of kept) keeps.push(keptEntry(entry, why, ids));
  for (const { entry, held } of removals) if (held) keeps.push(keptEntry(entry, held, ids));
  keeps.push(...keptGaps(context, kept, ids));
  const steps = groupIntoSteps(graph, actions);
  return guard ? { steps, kept: keeps, guard } : { steps, kept: keeps };
}

/** The action of each piece of work, with the ids of what it waits for. */
function actionsOf(graph: WorkGraph, ids: Ids): Action[] {
  const bare = graph.work.map((work) => bareAction(work, ids));
  const idsOf = (indexes: readonly number[] | undefined): string[] => [
    ...new Set(indexes?.flatMap((index) => bare[index]?.id ?? [])),
  ];
  return bare.map((action, index) => ({
    ...action,
    requires: idsOf(graph.requires[index]),
    follows: idsOf(graph.follows[index]),
  }));
}

type BareAction = Omit<Action, 'requires' | 'follows'>;

function bareAction(work: Work, ids: Ids): BareAction {
  if (work.phase === 'remove') {
    const { entry, reason: why } = work.removal;
    return {
      ...whatOf('delete', entry.targetName, entry.component, ids),
      ...placeOf(entry),
      reason: why,
      diff: [],
    };
  }
  const { assignment, targetUid, verdict } = work.item;
  const { target, component, role } = assignment;
  const apply = verdict.kind === 'create' || verdict.kind === 'update' ? verdict : undefined;
  return {
    ...whatOf(apply?.kind ?? 'update', target, component, ids),
    targetUid,
    role,
    reason: verdict.reason,
    diff: apply?.diff ?? [],
  };
}

function keptAssignment(item: Desired, ids: Ids): Action[] {
  const { assignment, targetUid, verdict } = item;
  if (verdict.kind !== 'there' && verdict.kind !== 'waits') return [];
  const what = whatOf('keep', assignment.target, assignment.component, ids);
  return [keep(what, { targetUid, role: assignment.role }, verdict.reason)];
}

function keptEntry(entry: LedgerEntry, why: Reason, ids: Ids): Action {
  return keep(whatOf('keep', entry.targetName, entry.component, ids), placeOf(entry), why);
}

/** Gaps of which nothing is deployed either: shown, so that nobody wonders where the component is. */
function keptGaps(context: PlanContext, kept: readonly { entry: LedgerEntry }[], ids: Ids): Action[] {
  const { deployment } = context.input;
  if (deployment.removal) return [];
  const shown = new Set(kept.map(({ entry }) => pairKey(entry.targetName, entry.component)));
  return deployment.gaps
    .filter((gap) => !shown.has(pairKey(gap.target, gap.component)))
    .map((gap) => {
      const { uid } = context.targetNamed(gap.target);
      const role = roleOf(context.componentNamed(gap.component));
      return keep(whatOf('keep', gap.target, gap.component, ids), { targetUid: uid, role }, gap.reason);
    });
}

type What = Pick<Action, 'kind' | 'id' | 'target' | 'component'>;
type Where = Pick<Action, 'targetUid' | 'role'>;

function whatOf(kind: Action['kind'], target: string, component: string, ids: Ids): What {
  return { kind, id: ids.next(kind, target, component), target, component };
}

function placeOf({ targetUid, role }: LedgerEntry): Where {
  return { targetUid, role };
}

function keep(what: What, where: Where, why: Reason): Action {
  return { ...what, ...where, reason: why, diff: [], requires: [], follows: [] };
}

/** Readable ids; one that comes again (the same component held by two providers, for example) gets a number. */
class Ids {
  private readonly used = new Map<string, number>();

  next(kind: string, target: string, component: string): string {
    const id = `${kind}:${target}/${component}`;
    const count = (this.used.get(id) ?? 0) + 1;
    this.used.set(id, count);
    // `#` could be part of a component's name, so the number goes in front, where no name is.
    return count === 1 ? id : `${kind}#${count}:${target}/${component}`;
  }
}
