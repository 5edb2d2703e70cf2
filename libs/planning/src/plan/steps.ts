import type { Action, Step } from '@symphony/model';
import { PairMap } from './pair-map.js';
import { isPlain, type Work, type WorkGraph } from './work.js';

/** How far back an ancestor is looked for; where that is too short, a step more is opened, which is never wrong. */
const SEARCH_LIMIT = 512;

interface OpenStep {
  step: Step;
  number: number;
  after: Set<OpenStep>;
  /** Some of the steps that come before this one for sure. */
  ancestors: Set<OpenStep>;
}

/**
 * Puts actions that one provider call can carry out into one step. An action joins the last step of its (target, role,
 * binding, scope, phase) if everything that it waits for is in that step or before it; else it opens a new one. So steps
 * only ever wait for steps that were opened earlier. What waits for something within its step is called after that has
 * succeeded, or in one call with it where the provider sees to that.
 */
export function groupIntoSteps(graph: WorkGraph, actions: readonly Action[]): Step[] {
  const stepOf: OpenStep[] = [];
  /** By uid of the target: the last step of each place there; a target has few. */
  const last = new Map<string, OpenStep[]>();
  /** By uid of the target and role. */
  const firstOfRole = new PairMap<OpenStep>();
  const barriers = new Map<string, ReadonlySet<OpenStep>>();
  const opened: OpenStep[] = [];
  const addSteps = (indexes: readonly number[] | undefined, to: Set<OpenStep>): Set<OpenStep> => {
    for (const index of indexes ?? []) {
      const step = stepOf[index];
      if (step) to.add(step);
    }
    return to;
  };

  for (const index of graph.order) {
    const work = graph.work[index];
    const action = actions[index];
    if (!work || !action) continue;
    const before = addSteps(graph.follows[index], addSteps(graph.requires[index], new Set()));
    if (isPlain(work)) {
      const known =
        barriers.get(action.targetUid) ?? addSteps(graph.appliesBefore.get(action.targetUid), new Set());
      barriers.set(action.targetUid, known);
      for (const step of known) before.add(step);
    }
    const place = placeOf(work);
    const here = last.get(action.targetUid) ?? [];
    const known = here.findIndex(({ step }) => isAt(step, action.role, place, work.phase));
    const candidate = here[known];
    if (candidate && allIn(before, candidate)) {
      candidate.step.actions.push(action);
      stepOf[index] = candidate;
      continue;
    }
    const first = work.phase === 'apply' ? firstOfRole.get(action.targetUid, action.role) : undefined;
    // The first step of a role is the one that makes shared scaffolding; the others want it to be there.
    if (first) before.add(first);
    const step = openStep(opened.length, work, action, place, before, work.phase === 'apply' && !first);
    if (step.step.isFirst) firstOfRole.set(action.targetUid, action.role, step);
    opened.push(step);
    if (candidate) here[known] = step;
    else last.set(action.targetUid, [...here, step]);
    stepOf[index] = step;
  }
  return opened.map(({ step }) => step);
}

type Place = Pick<Step, 'binding' | 'bindingHash' | 'scope'>;

function placeOf(work: Work): Place {
  return work.phase === 'apply' ? work.item.assignment : work.removal.entry;
}

function isAt(step: Step, role: string, place: Place, phase: Step['phase']): boolean {
  return (
    step.phase === phase &&
    step.bindingHash === place.bindingHash &&
    step.role === role &&
    step.scope === place.scope
  );
}

/** Whether all of these steps are this one or come before it. */
function allIn(steps: ReadonlySet<OpenStep>, candidate: OpenStep): boolean {
  for (const step of steps) if (step !== candidate && !isBefore(step, candidate)) return false;
  return true;
}

function openStep(
  number: number,
  work: Work,
  action: Action,
  place: Place,
  after: Set<OpenStep>,
  isFirst: boolean,
): OpenStep {
  const { target, targetUid, role } = action;
  const { binding, bindingHash, scope } = place;
  return {
    number,
    after,
    ancestors: new Set(after),
    step: {
      id: `s${number + 1}`,
      phase: work.phase,
      target,
      targetUid,
      role,
      binding,
      bindingHash,
      scope,
      isFirst,
      actions: [action],
      after: [...after].map((step) => step.step.id),
    },
  };
}

function isBefore(early: OpenStep, late: OpenStep): boolean {
  if (early.number >= late.number) return false;
  if (late.ancestors.has(early)) return true;
  const seen = new Set<OpenStep>();
  const queue = [...late.after];
  for (const step of queue) {
    if (step.number < early.number || seen.has(step)) continue;
    if (step === early || step.ancestors.has(early)) {
      late.ancestors.add(early);
      return true;
    }
    seen.add(step);
    if (seen.size > SEARCH_LIMIT) return false;
    queue.push(...step.after);
  }
  return false;
}
