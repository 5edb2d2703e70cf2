import { fieldsOf, isPlainObject, type ObjectStatus, type TargetError } from '@symphony/model';
import { ResourceStatus } from '../crds/index.js';
import { markOf } from './handled-orders.js';

/** What is kept of one object's status, in bytes of JSON. Everybody who lists objects pays for it. */
export const MAX_STATUS_BYTES = 256 * 1024;

/** What the engine has to remember on the object beside what every mode shows. */
export interface Remembered extends Pick<
  ResourceStatus,
  'startedAt' | 'deleteStartedAt' | 'suspended' | 'progress'
> {
  /** Of the claim that wrote it; the server refuses a lower one. */
  epoch: number;
  deploymentHash: string | undefined;
  orders: ResourceStatus['orders'];
}

/** The status as it is stored in Kubernetes. The same input makes the same document, whatever the epoch. */
export function statusDocument(status: ObjectStatus, remembered: Remembered): Partial<ResourceStatus> {
  const { orders, epoch, ...rest } = remembered;
  const whole = {
    ...status,
    generation: status.observedGeneration,
    ...rest,
    ...(orders && orders.length > 0
      ? { orders: orders.map((order) => ({ ...order, request: markOf(order.request) })) }
      : {}),
  };
  return { ...fitted(whole), epoch };
}

/** What only reports write (see `KubernetesObjectStore.report`). */
const OF_REPORTS: ReadonlySet<string> = new Set(['properties', 'reportedAt']);

/** What else stands there was written by a later version, which may need it again: an upgrade can be taken back, and made again. */
const OF_THIS_VERSION: ReadonlySet<string> = new Set(fieldsOf(ResourceStatus).map(({ name }) => name));

/**
 * What has to be patched for a stored status to become another one; undefined when it tells the same already: by which run, when
 * and in which term it was found to be so is nothing to tell. It is the stored documents that are compared, after all cuts.
 */
export function statusChange(
  stored: Partial<ResourceStatus>,
  document: Partial<ResourceStatus>,
): Record<string, unknown> | undefined {
  const keep = new Set([...OF_REPORTS, ...Object.keys(stored).filter((name) => !OF_THIS_VERSION.has(name))]);
  if (!mergePatchOf(bare(stored), bare(document), keep)) return undefined;
  return { ...mergePatchOf(stored, document, keep), epoch: document.epoch };
}

/** Whether two stored statuses say the same of the engine's, apart from whether runs are held back (see `SuspensionMarks`). */
export function tellsTheSame(a: Partial<ResourceStatus>, b: Partial<ResourceStatus>): boolean {
  const { suspended: _a, ...before } = bare(a);
  const { suspended: _b, ...after } = bare(b);
  return mergePatchOf(before, after, OF_REPORTS) === undefined;
}

/** Without when, by which run and in which term. */
function bare(document: Partial<ResourceStatus>): Record<string, unknown> {
  const {
    epoch: _epoch,
    lastModified: _at,
    runningJobId: _ended,
    expectedRunningJobId: _expected,
    provisioningStatus,
    conditions,
    ...rest
  } = document;
  return {
    ...rest,
    ...(provisioningStatus ? { provisioningStatus: { ...provisioningStatus, operationId: '' } } : {}),
    ...(conditions
      ? { conditions: conditions.map((condition) => ({ ...condition, lastTransitionTime: '' })) }
      : {}),
  };
}

/**
 * What changes one document into the other, as a JSON merge patch (RFC 7386); undefined when nothing does. What only others
 * write (`keep`) is left as it is.
 */
export function mergePatchOf(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
  keep: ReadonlySet<string> = new Set(),
): Record<string, unknown> | undefined {
  const patch: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(after)) {
    if (value === undefined || keep.has(key)) continue;
    const known = before[key];
    if (isPlainObject(known) && isPlainObject(value)) {
      const inner = mergePatchOf(known, value);
      if (inner) patch[key] = inner;
    } else if (JSON.stringify(known, sortedKeys) !== JSON.stringify(value, sortedKeys)) {
      patch[key] = value;
    }
  }
  for (const key of Object.keys(before)) {
    if (after[key] === undefined && !keep.has(key)) patch[key] = null;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}

/** The server sorts the keys of what it stores. */
function sortedKeys(_key: string, value: unknown): unknown {
  if (!isPlainObject(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Leaves out what is well first. Where the problems do not fit either, every target that failed keeps ever fewer of them, then fewer
 * targets keep their first one; the counts stay true.
 */
function fitted(status: Partial<ResourceStatus>): Partial<ResourceStatus> {
  if (fits(status)) return status;
  const problems = problemsOf({ ...status, truncated: true });
  const { targetStatuses = [], provisioningStatus } = problems;
  const details = provisioningStatus?.error?.details ?? [];
  const targets = Math.max(targetStatuses.length, details.length);
  const components = Math.max(
    ...targetStatuses.map(({ componentStatuses }) => componentStatuses.length),
    ...details.map((target) => target.details.length),
    1,
  );
  for (const most of halves(components)) {
    const cut = listing(problems, targets, most);
    if (fits(cut)) return cut;
  }
  for (const most of halves(targets)) {
    const cut = listing(problems, most, 1);
    if (fits(cut)) return cut;
  }
  return withoutLists(problems);
}

/** A number, its half and so on, down to 1. */
function* halves(from: number): Generator<number> {
  for (let n = from; n > 1; n = Math.ceil(n / 2)) yield n;
  yield 1;
}

/** A status without what is well in its lists. Whoever edits a status by hand may have left any list out of it. */
function problemsOf({ targetStatuses = [], ...rest }: Partial<ResourceStatus>): Partial<ResourceStatus> {
  const failed = targetStatuses.filter(({ status }) => status !== 'OK');
  return {
    ...withDetails(rest, (details) =>
      details.map((target) => ({ ...target, details: listOf(target.details) })),
    ),
    targetStatuses: failed.map((target) => ({
      ...target,
      componentStatuses: listOf(target.componentStatuses).filter(({ status }) => status !== 'OK'),
    })),
  };
}

/** The same problems in shorter lists. */
function listing(
  { targetStatuses = [], ...rest }: Partial<ResourceStatus>,
  targets: number,
  components: number,
): Partial<ResourceStatus> {
  return {
    ...withDetails(rest, (details) =>
      details
        .slice(0, targets)
        .map((target) => ({ ...target, details: target.details.slice(0, components) })),
    ),
    targetStatuses: targetStatuses.slice(0, targets).map((target) => ({
      ...target,
      componentStatuses: target.componentStatuses.slice(0, components),
    })),
  };
}

function withDetails(
  status: Partial<ResourceStatus>,
  change: (details: TargetError[]) => TargetError[],
): Partial<ResourceStatus> {
  const { provisioningStatus } = status;
  const { details, ...error } = provisioningStatus?.error ?? {};
  if (!provisioningStatus || !details) return status;
  return {
    ...status,
    provisioningStatus: { ...provisioningStatus, error: { ...error, details: change(details) } },
  };
}

function listOf<T>(list: T[] | undefined): T[] {
  return list ?? [];
}

function withoutLists({ targetStatuses: _targets, provisioningStatus, ...rest }: Partial<ResourceStatus>) {
  if (!provisioningStatus) return rest;
  const { details: _details, ...error } = provisioningStatus.error ?? {};
  return { ...rest, provisioningStatus: { ...provisioningStatus, error } };
}

/** With whatever epoch: what is written must not depend on it. */
function fits(status: Partial<ResourceStatus>): boolean {
  const epoch = Number.MAX_SAFE_INTEGER;
  return Buffer.byteLength(JSON.stringify({ ...status, epoch })) <= MAX_STATUS_BYTES;
}
