import type { DueFigure, LaneFigure, StoreFigures } from '../../../modules/metrics/index.js';
import { causeOf, stateOf } from './lane.js';
import type { LaneTable } from './lane-table.js';

/** What the lanes know of the figures of a store. */
export type MemoryFigures = Pick<StoreFigures, 'lanes' | 'due' | 'fanOuts' | 'workers'>;

export function figuresOf(table: LaneTable, fanOuts: number, now: number): MemoryFigures {
  const lanes = new Map<string, LaneFigure>();
  const due = new Map<string, DueFigure>();
  for (const lane of table.all()) {
    const { kind, reason, dueAt, worker, suspended } = lane;
    const state = stateOf(lane);
    count(lanes, `${kind} ${state} ${reason ?? ''}`, () => ({
      kind,
      state,
      ...(reason ? { reason } : {}),
      count: 0,
    }));
    if (dueAt === undefined || dueAt > now || worker !== undefined || suspended) continue;
    const cause = causeOf(lane);
    const figure = count(due, cause, () => ({ cause, count: 0, oldestSeconds: 0 }));
    figure.oldestSeconds = Math.max(figure.oldestSeconds, (now - dueAt) / 1000);
  }
  return { lanes: [...lanes.values()], due: [...due.values()], fanOuts, workers: table.leases.live(now) };
}

function count<F extends { count: number }>(figures: Map<string, F>, key: string, create: () => F): F {
  const figure = figures.get(key) ?? create();
  figures.set(key, figure);
  figure.count++;
  return figure;
}
