import {
  beginningOf,
  type ComponentError,
  type Condition,
  type ObjectStatus,
  type Reason,
  type StatusWord,
  type SummarySpec,
  type TargetError,
  type TargetStatus,
} from '@symphony/model';
import type { ComponentReport } from './report.js';

export interface StatusInput {
  generation: number;
  /** Id of the run. */
  operationId: string;
  word: StatusWord;
  reason: Reason;
  summary?: SummarySpec;
  components?: readonly ComponentReport[];
  /** What is stored, so that conditions keep the time at which they last changed. */
  previous?: ObjectStatus;
  now: string;
}

/** Statuses are read whole by every list; REST has the full report in the run's summary and history. */
const MAX_LISTED = 200;
/** In UTF-16 code units. */
const MAX_MESSAGE = 1_000;

/** The status of an object after (or, for Reconciling and Deleting, during) a run; `truncated` where it does not say all. Pure. */
export function statusOf(input: StatusInput): ObjectStatus {
  const { summary, word, reason, previous } = input;
  const all = input.components ?? [];
  const components = inOrder(all).slice(0, MAX_LISTED);
  const failed = word === 'Failed';
  return {
    provisioningStatus: {
      operationId: input.operationId,
      status: word,
      ...(summary && summary.plannedDeployment > 0
        ? { percentComplete: Math.floor((100 * summary.currentDeployed) / summary.plannedDeployment) }
        : {}),
      ...(failed ? { failureCause: reason.code } : {}),
      error: failed ? errorTree(reason, components) : {},
    },
    status: word,
    statusDetails: short(reason.message),
    reason: reason.code,
    observedGeneration: input.generation,
    lastModified: input.now,
    deployed: summary && !summary.isRemoval ? summary.successCount : 0,
    targets: summary?.targetCount ?? 0,
    ...jobNumbers(word, previous),
    targetStatuses: targetStatuses(components),
    conditions: conditionsOf(input, previous?.conditions ?? []),
    ...(components.length < all.length || saysTooMuch(reason, components) ? { truncated: true } : {}),
  };
}

/** True when two statuses tell the same, apart from when and by which run. */
export function sameStatus(a: ObjectStatus | undefined, b: ObjectStatus): boolean {
  if (!a) return false;
  const bare = (status: ObjectStatus): string =>
    JSON.stringify(
      {
        ...status,
        lastModified: '',
        ...UNNUMBERED,
        provisioningStatus: { ...status.provisioningStatus, operationId: '' },
        conditions: status.conditions?.map((condition) => ({ ...condition, lastTransitionTime: '' })),
      },
      sortedKeys,
    );
  return bare(a) === bare(b);
}

/** Symphony's counter of jobs, as far as they have something to tell. */
type JobNumbers = Pick<ObjectStatus, 'runningJobId' | 'expectedRunningJobId'>;

const UNNUMBERED: JobNumbers = { runningJobId: undefined, expectedRunningJobId: undefined };

function jobNumbers(word: StatusWord, previous: ObjectStatus | undefined): JobNumbers {
  const { runningJobId: ended = 0, expectedRunningJobId: expected = 0 } = previous ?? {};
  const number = Math.max(ended + 1, expected);
  if (word === 'Succeeded' || word === 'Failed')
    return { runningJobId: number, expectedRunningJobId: number };
  return { ...(ended > 0 ? { runningJobId: ended } : {}), expectedRunningJobId: number };
}

function sortedKeys(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function errorTree(
  reason: Reason,
  components: readonly ComponentReport[],
): ObjectStatus['provisioningStatus']['error'] {
  const byTarget = new Map<string, ComponentError[]>();
  for (const item of components.filter(({ ok }) => !ok)) {
    const list = byTarget.get(item.target) ?? [];
    list.push({ code: item.reason.code, message: short(item.reason.message), target: item.component });
    byTarget.set(item.target, list);
  }
  const details = [...byTarget].map(([target, list]): TargetError => {
    const [first] = list;
    return { code: first?.code ?? reason.code, message: first?.message ?? '', target, details: list };
  });
  return { code: reason.code, message: short(reason.message), target: 'Symphony', details };
}

/**
 * Problems first: where a list has to end, it is what is well that is left out. Else by name, so that two runs that find the same say
 * the same, in whatever order things came about.
 */
function inOrder(components: readonly ComponentReport[]): ComponentReport[] {
  const key = ({ target, component }: ComponentReport): string => `${target}\0${component}`;
  return [...components].sort(
    (a, b) => Number(a.ok) - Number(b.ok) || (key(a) === key(b) ? 0 : key(a) < key(b) ? -1 : 1),
  );
}

function targetStatuses(components: readonly ComponentReport[]): TargetStatus[] {
  const byTarget = new Map<string, TargetStatus>();
  for (const item of components) {
    const target = byTarget.get(item.target) ?? { name: item.target, status: 'OK', componentStatuses: [] };
    byTarget.set(item.target, target);
    if (!item.ok) target.status = 'Failed';
    target.componentStatuses.push({
      name: item.component,
      status: item.reason.code === 'UpToDate' || item.ok ? 'OK' : item.reason.code,
      ...(item.ok ? {} : { message: short(item.reason.message) }),
    });
  }
  // Within a target they are in order already, and targets come in the order of their first component.
  return [...byTarget.values()];
}

function conditionsOf(input: StatusInput, previous: readonly Condition[]): Condition[] {
  const { word, reason } = input;
  const running = word === 'Reconciling' || word === 'Deleting';
  const states: [Condition['type'], boolean][] = [
    ['Ready', word === 'Succeeded'],
    ['Reconciling', running],
    ['Stalled', word === 'Failed'],
  ];
  return states.map(([type, holds]) => {
    const status = holds ? 'True' : 'False';
    const before = previous.find((condition) => condition.type === type);
    return {
      type,
      status,
      reason: reason.code,
      message: short(reason.message),
      observedGeneration: input.generation,
      lastTransitionTime: before?.status === status ? before.lastTransitionTime : input.now,
    };
  });
}

/** Whether a message had to be cut. Those of components that are well are not shown at all. */
function saysTooMuch(reason: Reason, components: readonly ComponentReport[]): boolean {
  const shown = [reason, ...components.filter(({ ok }) => !ok).map((item) => item.reason)];
  return shown.some(({ message }) => message.length > MAX_MESSAGE);
}

function short(text: string): string {
  return beginningOf(text, MAX_MESSAGE);
}
