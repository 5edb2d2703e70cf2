import type { PlanContext } from './context.js';
import { isApply, moveOf, type Places, type RecordedDependencies } from './dependencies.js';
import type { Desired } from './desired.js';
import { circles, waitingOrder } from './graph.js';
import type { Removal } from './removals.js';

/** Something to be done. */
export type Work = { phase: 'apply'; item: Desired } | { phase: 'remove'; removal: Removal };

/** What is to be done, and in which order; the numbers are indexes of `work`. */
export interface WorkGraph {
  work: readonly Work[];
  /** What must have succeeded before. */
  requires: readonly (readonly number[])[];
  /** What must have ended before. */
  follows: readonly (readonly number[])[];
  /**
   * By target uid: the applies that the plain removals on that target come after. Kept apart, because as edges they would be
   * the product of applies and removals.
   */
  appliesBefore: ReadonlyMap<string, readonly number[]>;
  /** All of `work`, each after what it waits for. */
  order: readonly number[];
}

/** A removal that nothing takes the place of. */
export function isPlain(work: Work): boolean {
  return work.phase === 'remove' && work.removal.replacedBy === undefined;
}

/**
 * Links everything that is to be done.
 *
 * That the hard edges (`requires`) close no circle: dependencies among applies are sorted; what replaces something requires
 * its removal, and such a removal requires nothing; a removal that is a move requires applies. Only the dependencies that the
 * ledger recorded may be circular, as each was recorded at another time: those among plain removals are cut open here.
 * A soft edge (`follows`) that is part of a circle is left out.
 */
export function linkWork(
  context: PlanContext,
  places: Places,
  requirements: ReadonlyMap<Desired, readonly Desired[]>,
  removals: readonly Removal[],
  recorded: RecordedDependencies,
): WorkGraph {
  const applies = context.input.deployment.components.flatMap((component) =>
    [...(places.get(component.name)?.values() ?? [])].filter(isApply),
  );
  const going = removals.filter((removal) => !removal.held);
  const work: Work[] = [
    ...applies.map((item) => ({ phase: 'apply' as const, item })),
    ...going.map((removal) => ({ phase: 'remove' as const, removal })),
  ];
  const applyAt = new Map(applies.map((item, index) => [item, index]));
  const removalAt = new Map(going.map((removal, index) => [removal, applies.length + index]));
  const hard = new EdgeLists(work.length);
  const soft = new EdgeLists(work.length);

  applies.forEach((item, index) => {
    for (const required of requirements.get(item) ?? []) hard.add(index, applyAt.get(required));
    if (item.entry) {
      for (const removal of recorded.prerequisites(item.entry)) soft.add(removalAt.get(removal), index);
    }
  });
  const recordedEdges: [number, number][] = [];
  for (const removal of going) {
    const index = removalAt.get(removal);
    if (index === undefined) continue;
    const { replacedBy } = removal;
    if (replacedBy) {
      const edges = replacedBy.verdict.kind === 'create' ? hard : soft;
      edges.add(applyAt.get(replacedBy), index);
    }
    const move = moveOf(places, removal);
    for (const item of move?.applies ?? []) (move?.only ? hard : soft).add(index, applyAt.get(item));
    for (const prerequisite of recorded.prerequisites(removal.entry)) {
      const waiting = removalAt.get(prerequisite);
      if (waiting === undefined) continue;
      if (replacedBy || prerequisite.replacedBy) soft.add(waiting, index);
      else recordedEdges.push([waiting, index]);
    }
  }
  addWithoutCircles(hard, recordedEdges);
  const follows = softWithoutCircles(hard, soft);
  const requires = hard.lists;
  const appliesBefore = barriers(work, joined(requires, follows));
  return {
    work,
    requires,
    follows,
    appliesBefore,
    order: finalOrder(work, requires, follows, appliesBefore),
  };
}

/** Of a circle of recorded dependencies those edges stay that go against the order of the components, as most do. */
function addWithoutCircles(hard: EdgeLists, edges: readonly [number, number][]): void {
  const recorded = new EdgeLists(hard.lists.length);
  for (const [from, to] of edges) recorded.add(from, to);
  const circle = circles(recorded.lists);
  for (const [from, to] of edges) {
    if (circle[from] !== circle[to] || from < to) hard.add(from, to);
  }
}

function softWithoutCircles(hard: EdgeLists, soft: EdgeLists): number[][] {
  const circle = circles(joined(hard.lists, soft.lists));
  return soft.lists.map((list, from) => list.filter((to) => circle[from] !== circle[to]));
}

/** The applies of each target that wait for no plain removal themselves, so that plain removals may come after them. */
function barriers(work: readonly Work[], edges: readonly (readonly number[])[]): Map<string, number[]> {
  const waitsForRemoval = new Uint8Array(work.length);
  const before = new Map<string, number[]>();
  for (const index of waitingOrder(edges)) {
    const item = work[index];
    if (!item) continue;
    const waits = isPlain(item) || edges[index]?.some((to) => waitsForRemoval[to]);
    if (waits) waitsForRemoval[index] = 1;
    else if (item.phase === 'apply') {
      const { targetUid } = item.item;
      const list = before.get(targetUid);
      if (list) list.push(index);
      else before.set(targetUid, [index]);
    }
  }
  return before;
}

/** The barriers take part as nodes of their own, behind those of the work. */
function finalOrder(
  work: readonly Work[],
  requires: readonly (readonly number[])[],
  follows: readonly (readonly number[])[],
  appliesBefore: ReadonlyMap<string, readonly number[]>,
): number[] {
  const barrierAt = new Map([...appliesBefore.keys()].map((uid, index) => [uid, work.length + index]));
  const edges: (readonly number[])[] = joined(requires, follows).map((list, index) => {
    const item = work[index];
    if (item?.phase !== 'remove' || !isPlain(item)) return list;
    const barrier = barrierAt.get(item.removal.entry.targetUid);
    return barrier === undefined ? list : [barrier, ...list];
  });
  edges.push(...appliesBefore.values());
  return waitingOrder(edges).filter((index) => index < work.length);
}

function joined(a: readonly (readonly number[])[], b: readonly (readonly number[])[]): (readonly number[])[] {
  return a.map((list, index) => {
    const more = b[index] ?? [];
    return more.length === 0 ? list : [...list, ...more];
  });
}

class EdgeLists {
  readonly lists: number[][];

  constructor(count: number) {
    this.lists = Array.from({ length: count }, () => []);
  }

  /** An end that takes part in nothing is no end. */
  add(from: number | undefined, to: number | undefined): void {
    if (from === undefined || to === undefined || from === to) return;
    this.lists[from]?.push(to);
  }
}
