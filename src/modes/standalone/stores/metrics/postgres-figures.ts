import { REASONS, type ReasonCode } from '@symphony/model';
import {
  StoreFiguresReader,
  type DueFigure,
  type LaneFigure,
  type PoolFigures,
  type StoreFigures,
} from '../../../../modules/metrics/index.js';
import { CAUSES, type LaneState } from '../../../../modules/queue/index.js';
import type { Database } from '../../database/database.js';
import { READY } from '../jobs/claims.js';
import { LANE_STATE } from '../jobs/views.js';

// One look at every lane, whose rows are narrow: 100,000 take less than 100 ms. An index that served it would have to be kept by
// each claim and completion, for the sake of one scrape a minute.
const LANES = {
  name: 'figures_lanes',
  text: `
  SELECT l.kind, ${LANE_STATE} AS state, l.reason, count(*)::int AS count
  FROM lanes l GROUP BY 1, 2, 3`,
};

// By lanes_ready_by_due, which has the due ones in front.
const DUE = {
  name: 'figures_due',
  text: `
  SELECT l.cause, count(*)::int AS count, extract(epoch FROM now() - min(l.due_at))::float8 AS oldest
  FROM lanes l WHERE ${READY} AND l.due_at <= now() GROUP BY l.cause`,
};

const OTHERS = {
  name: 'figures_others',
  text: `
  SELECT (SELECT count(*)::int FROM fan_outs) AS fan_outs,
         (SELECT count(*)::int FROM target_health WHERE open_until IS NOT NULL) AS open_breakers,
         (SELECT count(*)::int FROM workers WHERE lease_until > now()) AS workers`,
};

interface LaneRow {
  kind: LaneFigure['kind'];
  state: LaneState;
  reason: string | null;
  count: number;
}

/** Counts in PostgreSQL, one after the other: whoever asks for metrics gets one connection at most. */
export class PostgresFigures extends StoreFiguresReader {
  constructor(private readonly database: Database) {
    super();
  }

  override async read(): Promise<StoreFigures> {
    const lanes = await this.database.query<LaneRow>(LANES);
    const due = await this.database.query<{ cause: number; count: number; oldest: number }>(DUE);
    const [others] = await this.database.query<{ fan_outs: number; open_breakers: number; workers: number }>(
      OTHERS,
    );
    return {
      lanes: lanes.map(laneFigure),
      due: due.flatMap(({ cause, count, oldest }): DueFigure[] => {
        const word = CAUSES[cause];
        return word ? [{ cause: word, count, oldestSeconds: oldest }] : [];
      }),
      fanOuts: others?.fan_outs ?? 0,
      openBreakers: others?.open_breakers ?? 0,
      workers: others?.workers ?? 0,
    };
  }

  override pool(): PoolFigures {
    return this.database.poolFigures;
  }
}

function laneFigure({ kind, state, reason, count }: LaneRow): LaneFigure {
  return { kind, state, count, ...(reason !== null && isReason(reason) ? { reason } : {}) };
}

function isReason(code: string): code is ReasonCode {
  return Object.hasOwn(REASONS, code);
}
