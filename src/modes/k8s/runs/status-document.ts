import { fieldsOf, isPlainObject, type ObjectStatus } from '@symphony/model';
import { ResourceStatus } from '../crds/index.js';

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
    ...(orders && orders.length > 0 ? { orders } : {}),
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

/** Leaves out what is well first, then halves the lists of problems, until it fits; the counts stay true. */
function fitted(status: Partial<ResourceStatus>): Partial<ResourceStatus> {
  if (bytesOf(status) <= MAX_STATUS_BYTES) return status;
  const { targetStatuses = [], ...rest } = status;
  let cut: Partial<ResourceStatus> = {
    ...rest,
    truncated: true,
    targetStatuses: targetStatuses
      .map((target) => ({
        ...target,
        componentStatuses: target.componentStatuses?.filter(({ status: state }) => state !== 'OK') ?? [],
      }))
      .filter(({ status: state }) => state !== 'OK'),
  };
  while (bytesOf(cut) > MAX_STATUS_BYTES) {
    const { targetStatuses: targets = [], provisioningStatus } = cut;
    const details = provisioningStatus?.error?.details ?? [];
    if (targets.length <= 1 && details.length <= 1) return withoutLists(cut);
    cut = {
      ...cut,
      targetStatuses: targets.slice(0, Math.ceil(targets.length / 2)),
      ...(provisioningStatus
        ? {
            provisioningStatus: {
              ...provisioningStatus,
              error: {
                ...provisioningStatus.error,
                details: details.slice(0, Math.ceil(details.length / 2)),
              },
            },
          }
        : {}),
    };
  }
  return cut;
}

function withoutLists({ targetStatuses: _targets, provisioningStatus, ...rest }: Partial<ResourceStatus>) {
  if (!provisioningStatus) return rest;
  const { details: _details, ...error } = provisioningStatus.error ?? {};
  return { ...rest, provisioningStatus: { ...provisioningStatus, error } };
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}
