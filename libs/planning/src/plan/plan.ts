import { roleOf, type Action, type LedgerEntry, type Plan, type Reason } from '@symphony/model';
import { PlanContext } from './context.js';
import { holdRemovals, placesOf, RecordedDependencies, settleDependencies } from './dependencies.js';
import { judgeAssignments, type Desired } from './desired.js';
import type { PlanInput } from './input.js';
import { PairLists, PairMap } from './pair-map.js';
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
function actionsOf({ work, requires, follows }: WorkGraph, ids: Ids): Action[] {
  const actions = work.map((item) => bareAction(item, ids));
  const idsOf = (indexes: readonly number[] | undefined): string[] =>
    indexes === undefined || indexes.length === 0
      ? []
      : [...new Set(indexes.map((index) => actions[index]?.id ?? ''))];
  actions.forEach((action, index) => {
    action.requires = idsOf(requires[index]);
    action.follows = idsOf(follows[index]);
  });
  return actions;
}

function bareAction(work: Work, ids: Ids): Action {
  if (work.phase === 'remove') {
    const { entry, reason: why } = work.removal;
    return action('delete', entry.targetName, entry.component, entry, why, [], ids);
  }
  const { assignment, verdict } = work.item;
  const apply = verdict.kind === 'create' || verdict.kind === 'update' ? verdict : undefined;
  const kind = apply?.kind ?? 'update';
  return action(
    kind,
    assignment.target,
    assignment.component,
    whereOf(work.item),
    verdict.reason,
    apply?.diff ?? [],
    ids,
  );
}

function keptAssignment(item: Desired, ids: Ids): Action[] {
  const { assignment, verdict } = item;
  if (verdict.kind !== 'there' && verdict.kind !== 'waits') return [];
  return [action('keep', assignment.target, assignment.component, whereOf(item), verdict.reason, [], ids)];
}

function keptEntry(entry: LedgerEntry, why: Reason, ids: Ids): Action {
  return action('keep', entry.targetName, entry.component, entry, why, [], ids);
}

/** Gaps of which nothing is deployed either: shown, so that nobody wonders where the component is. */
function keptGaps(context: PlanContext, kept: readonly { entry: LedgerEntry }[], ids: Ids): Action[] {
  const { deployment } = context.input;
  if (deployment.removal) return [];
  const shown = new PairMap<true>();
  for (const { entry } of kept) shown.set(entry.targetName, entry.component, true);
  return deployment.gaps
    .filter((gap) => !shown.get(gap.target, gap.component))
    .map((gap) => {
      const { uid } = context.targetNamed(gap.target);
      const where = { targetUid: uid, role: roleOf(context.componentNamed(gap.component)) };
      return action('keep', gap.target, gap.component, where, gap.reason, [], ids);
    });
}

type Where = Pick<Action, 'targetUid' | 'role'>;

function whereOf({ targetUid, assignment }: Desired): Where {
  return { targetUid, role: assignment.role };
}

function action(
  kind: Action['kind'],
  target: string,
  component: string,
  { targetUid, role }: Where,
  why: Reason,
  diff: Action['diff'],
  ids: Ids,
): Action {
  const id = ids.next(kind, target, component);
  return { kind, id, target, targetUid, component, role, reason: why, diff, requires: [], follows: [] };
}

/** Readable ids; one that comes again (the same component held by two providers, for example) gets a number. */
class Ids {
  /** The kinds of the ids that were given, by target and component. */
  private readonly used = new PairLists<string>();

  next(kind: string, target: string, component: string): string {
    const before = this.used.of(target, component).filter((other) => other === kind).length;
    this.used.add(target, component, kind);
    // `#` could be part of a component's name, so the number goes in front, where no name is.
    return before === 0 ? `${kind}:${target}/${component}` : `${kind}#${before + 1}:${target}/${component}`;
  }
}
