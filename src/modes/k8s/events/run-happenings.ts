import type { Claim, RunOutcome } from '../../../modules/queue/index.js';
import type { CustomObject } from '../objects/custom-object.js';
import type { Happening } from './kube-event.js';

/** What a run did about one component, as its record keeps it. */
interface DoneAction {
  component: string;
  target: string;
  kind: 'create' | 'update' | 'delete';
  /** Why it was to be done: a code of `docs/reasons.md`, "Of actions in a plan". */
  reason: string;
}

/** What nobody did anything about but the target itself, or somebody at it. */
const DRIFT: ReadonlySet<string> = new Set(['Missing', 'Drifted']);
/** Not well yet, and nothing that somebody would have to do something about. */
const UNDER_WAY: ReadonlySet<string> = new Set(['Pending', 'TargetBusy', 'TargetInUse']);
const MOST_NAMED = 10;

/**
 * What a person wants to know of a run: what was deployed, changed, put right or removed, and why something is not well. Nothing of
 * runs that found all as it was. Pure.
 *
 * Names only components and targets, and says what the status says: no value of a component comes into it.
 *
 * @param object as it was before what the run leaves behind was written
 * @param told whether its status has changed, and whether the status had to be cut for the first time
 */
export function happeningsOf(
  { cause }: Pick<Claim, 'cause'>,
  object: CustomObject,
  outcome: RunOutcome,
  told: { changed: boolean; cutNow: boolean },
): Happening[] {
  const { result, record } = outcome;
  if (result === 'yielded') return [];
  const done = doneActions(record?.steps ?? []);
  const happenings: Happening[] = [];
  if (result === 'succeeded') happenings.push(...success(object, outcome, done, told.changed));
  else if (result === 'removed') happenings.push(...removal(done));
  else if (told.changed || record || cause !== 'periodic') happenings.push(trouble(object, outcome));
  if (told.cutNow) happenings.push(CUT);
  return happenings;
}

/** What was given up without being removed. @param left as people read it, such as `web on edge (docker)` */
export function orphaned(left: readonly string[], asked: boolean): Happening {
  const why = asked ? 'As asked for' : 'It went before what was deployed for it was removed';
  return {
    type: 'Warning',
    reason: 'Orphaned',
    action: 'Orphan',
    note: `${why}; this stays: ${listed(left)}.`,
  };
}

const CUT: Happening = {
  type: 'Normal',
  reason: 'StatusTruncated',
  action: 'Reconcile',
  note: 'The status does not say all, for its size: problems come first. REST has the whole.',
};

function success(
  { status }: CustomObject,
  { reason, summary }: RunOutcome,
  done: readonly DoneAction[],
  changed: boolean,
): Happening[] {
  const normal = (word: string, note: string): Happening[] => [
    { type: 'Normal', reason: word, action: 'Reconcile', note },
  ];
  if (done.length === 0) {
    const isNews = changed && (status?.status !== 'Succeeded' || status.reason !== reason.code);
    return isNews ? normal(reason.code, reason.message) : [];
  }
  const what = described(done);
  if (reason.code === 'Inactive') return normal('Inactive', what);
  if (done.every((action) => DRIFT.has(action.reason))) return normal('DriftRepaired', what);
  const isAll = summary?.summary.plannedDeployment === done.length;
  const isNew = isAll && done.every(({ kind, reason: why }) => kind === 'create' && why === 'NotDeployed');
  return normal(isNew ? 'Deployed' : 'Updated', what);
}

function removal(done: readonly DoneAction[]): Happening[] {
  if (done.length === 0) return [];
  return [{ type: 'Normal', reason: 'Removed', action: 'Remove', note: described(done) }];
}

function trouble({ metadata, status: before }: CustomObject, { reason, status }: RunOutcome): Happening {
  return {
    type: UNDER_WAY.has(reason.code) ? 'Normal' : 'Warning',
    reason: reason.code,
    action: metadata.deletionTimestamp === undefined ? 'Reconcile' : 'Remove',
    note: (status ?? before)?.statusDetails ?? reason.message,
  };
}

const VERBS: readonly [DoneAction['kind'], string][] = [
  ['create', 'Created'],
  ['update', 'Updated'],
  ['delete', 'Removed'],
];

/** For example `Created web on edge; updated db on edge, db on lab.` */
function described(done: readonly DoneAction[]): string {
  const parts = VERBS.flatMap(([kind, verb]) => {
    const names = done.filter((action) => action.kind === kind).map((a) => `${a.component} on ${a.target}`);
    return names.length > 0 ? [`${verb} ${listed(names)}`] : [];
  });
  return `${parts.map((part, at) => (at === 0 ? part : part.charAt(0).toLowerCase() + part.slice(1))).join('; ')}.`;
}

function listed(names: readonly string[]): string {
  const sorted = [...new Set(names)].sort();
  const more = sorted.length - MOST_NAMED;
  return sorted.slice(0, MOST_NAMED).join(', ') + (more > 0 ? ` and ${more} more` : '');
}

/** What came of the actions of a record: those that a provider has carried out. */
function doneActions(steps: readonly unknown[]): DoneAction[] {
  return (steps as RecordedStep[]).flatMap(({ target, actions = [] }) =>
    actions.flatMap(({ component, kind, reason = '', outcome }) =>
      outcome === 'ok' && isDoing(kind) ? [{ component, target, kind, reason }] : [],
    ),
  );
}

/** As `recordedSteps` writes them. */
interface RecordedStep {
  target: string;
  actions?: { component: string; kind: string; reason?: string; outcome: string }[];
}

function isDoing(kind: string): kind is DoneAction['kind'] {
  return VERBS.some(([verb]) => verb === kind);
}
