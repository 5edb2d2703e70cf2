import type { Reason, ReasonCode } from '@symphony/model';
import {
  CAUSES,
  laneStateOf,
  reasonOf,
  type Cause,
  type Claim,
  type Fence,
  type InlinePayload,
  type LaneAction,
  type LaneKey,
  type LaneState,
  type LaneView,
  type RunResult,
} from '../../../modules/queue/index.js';
import type { HeapItem } from './heap.js';

/** A monotonic clock, by which everything is decided, and a wall clock, for what is shown. Both in milliseconds. */
export interface LaneClock {
  now(): number;
  wallNow(): number;
}

/** An object as it was found at the beginning of a term, from its record and its status. */
export interface KnownObject extends LaneKey {
  generation: number;
  action: LaneAction;
  /** How the last run of this very state of it ended; undefined: it changed since, or has never run. */
  last?: {
    result: Exclude<RunResult, 'removed' | 'yielded'>;
    reason: Reason;
    /** Failed ones since the last success, if that is known. */
    attempts?: number;
  };
  /** Of the desired state that was reached last, if that still holds. */
  lastHash?: string;
  /** Milliseconds between its periodic runs; undefined: it has none. */
  intervalMs?: number;
  suspended?: boolean;
}

/** A posted deployment, as its record has it. */
export interface KnownPosted extends Omit<KnownObject, 'lastHash' | 'intervalMs' | 'suspended'> {
  payload: InlinePayload;
  actor?: string;
}

/** What a claim proves beside its lane: the term of leadership, and how often the lane was claimed in it. */
const CLAIMS_PER_TERM = 2 ** 31;

/**
 * The number that fences a claim. It grows with each claim of a lane, and any of a later term is greater than all of an
 * earlier one. Safe integers up to four million terms: at one change of leaders each 15 seconds for two years.
 */
export function epochOf(term: number, claims: number): number {
  return term * CLAIMS_PER_TERM + claims;
}

/** The term that an epoch belongs to. */
export function termOf(epoch: number): number {
  return Math.floor(epoch / CLAIMS_PER_TERM);
}

/** A lane; times are those of the monotonic clock. */
export interface Lane extends LaneKey, HeapItem {
  readonly id: string;
  /** The newest posted deployment; kept while the lane lives, because its job id is compared with the next one's. */
  payload: InlinePayload | undefined;
  /** Its newest order is a posted deployment. */
  inline: boolean;
  suspended: boolean;
  generation: number;
  deleting: boolean;
  /** Index of `CAUSES`, of the waiting order, else of the running one. */
  cause: number;
  actor: string | undefined;
  /** Numbers of the newest order, of the newest that a claim covered, and of the newest that has run. */
  orderSeq: number;
  claimedSeq: number;
  doneSeq: number;
  orderedAt: number;
  /** When the waiting order is due; undefined: nothing waits (a claim sets it to that). */
  dueAt: number | undefined;
  /** When the periodic run was due into which the newest order folded; undefined: none waited. */
  lookAt: number | undefined;
  /** Decides between what is due at the same time. */
  turn: number;
  worker: string | undefined;
  claims: number;
  epoch: number;
  claimedAt: number;
  attempts: number;
  result: RunResult | undefined;
  reason: ReasonCode | undefined;
  message: string | undefined;
  lastHash: string | undefined;
  /** Where it waits for its time; undefined: it does not. */
  shelf: { remove(lane: Lane): void } | undefined;
  /** Settles when the outcome that is being written is written or not; never rejects. */
  writing: Promise<void> | undefined;
  /** Freed while its outcome was being written: that counts once it is known what became of it. */
  freed: boolean;
}

/** A lane that nothing was ordered for. */
export function newLane(
  known: LaneKey & Pick<Lane, 'id' | 'suspended' | 'generation' | 'deleting' | 'claims'>,
): Lane {
  return {
    ...known,
    payload: undefined,
    inline: false,
    cause: 0,
    actor: undefined,
    orderSeq: 0,
    claimedSeq: 0,
    doneSeq: 0,
    orderedAt: 0,
    dueAt: undefined,
    lookAt: undefined,
    turn: 0,
    worker: undefined,
    epoch: 0,
    claimedAt: 0,
    attempts: 0,
    result: undefined,
    reason: undefined,
    message: undefined,
    lastHash: undefined,
    slot: -1,
    shelf: undefined,
    writing: undefined,
    freed: false,
  };
}

export function keyText({ kind, namespace, name }: LaneKey): string {
  return `${kind}/${namespace}/${name}`;
}

export function fenceOf(lane: Lane): Fence {
  return { laneId: lane.id, epoch: lane.epoch };
}

export function causeOf(lane: Lane): Cause {
  return CAUSES[lane.cause] ?? 'periodic';
}

export function stateOf(lane: Lane): LaneState {
  return laneStateOf({
    running: lane.worker !== undefined,
    suspended: lane.suspended,
    due: lane.dueAt !== undefined,
    cause: causeOf(lane),
    ...(lane.result ? { result: lane.result } : {}),
  });
}

/** As RFC 3339, by the wall clock of now. */
function timeText(at: number, clock: LaneClock): string {
  return new Date(clock.wallNow() + at - clock.now()).toISOString();
}

export function claimOf(lane: Lane, clock: LaneClock): Claim {
  return {
    kind: lane.kind,
    namespace: lane.namespace,
    name: lane.name,
    fence: fenceOf(lane),
    seq: String(lane.orderSeq),
    generation: lane.generation,
    action: lane.deleting ? 'delete' : 'update',
    cause: causeOf(lane),
    attempts: lane.attempts,
    ...(lane.actor === undefined ? {} : { actor: lane.actor }),
    ...(lane.lastHash === undefined ? {} : { lastHash: lane.lastHash }),
    ...(lane.inline && lane.payload ? { payload: lane.payload } : {}),
    orderedAt: timeText(lane.orderedAt, clock),
    claimedAt: timeText(lane.claimedAt, clock),
  };
}

export function viewOf(lane: Lane, clock: LaneClock): LaneView {
  const { worker, dueAt, reason, message } = lane;
  const state = stateOf(lane);
  return {
    id: lane.id,
    kind: lane.kind,
    namespace: lane.namespace,
    name: lane.name,
    state,
    generation: lane.generation,
    action: lane.deleting ? 'delete' : 'update',
    ...(worker !== undefined || dueAt !== undefined ? { cause: causeOf(lane) } : {}),
    attempts: lane.attempts,
    ...reasonOf(state, {
      ...(reason === undefined ? {} : { reason }),
      ...(message === undefined ? {} : { message }),
    }),
    ...(dueAt === undefined ? {} : { dueAt: timeText(dueAt, clock) }),
    ...(worker === undefined ? {} : { worker, runningSince: timeText(lane.claimedAt, clock) }),
    orderSeq: String(lane.orderSeq),
    doneSeq: String(lane.doneSeq),
  };
}
