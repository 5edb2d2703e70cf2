import type { Reason } from '@symphony/model';
import pLimit from 'p-limit';
import { silentReason, type PlannedRun, type TargetHealth, type UnhealthyTarget } from '../solution/index.js';
import type { Execution } from './execution.js';

/** Each is a statement of its own, and other runs need connections as well. */
const AT_ONCE = 4;

/**
 * Opens the breaker of targets that did not answer, and closes it for those that are well again.
 * @param unhealthy what was known of them when the run began
 * @returns milliseconds until the first of them is tried again
 */
export async function tellHealth(
  health: TargetHealth,
  unhealthy: readonly UnhealthyTarget[],
  run: Pick<PlannedRun, 'readable' | 'troubled'>,
  execution: Pick<Execution, 'outcomes'>,
): Promise<number | undefined> {
  const hung = new Map<string, Reason>();
  const well = new Set(run.readable);
  const unwell = new Set(run.troubled.keys());
  const silent = new Map<string, number>();
  for (const { action, state, reason: why, silentMs = 0 } of execution.outcomes.values()) {
    if (state === 'ok' || state === 'pending') well.add(action.targetUid);
    else if (state === 'unknown' || why.code === 'TargetBusy') unwell.add(action.targetUid);
    if (why.code === 'ProviderTimeout') hung.set(action.targetUid, why);
    if (silentMs > (silent.get(action.targetUid) ?? 0)) silent.set(action.targetUid, silentMs);
  }
  // One after the other, as a target may be in all of them.
  const limit = pLimit(AT_ONCE);
  const suspectedMs = await limit.map(silent, ([targetUid, silentMs]) =>
    health.suspected(targetUid, silentReason(silentMs), silentMs),
  );
  const failedMs = await limit.map(hung, ([targetUid, why]) => health.failed(targetUid, why));
  // Only who was called and answered is well: a run that did not reach a target knows nothing of it.
  const recovered = unhealthy.filter(({ targetUid }) => well.has(targetUid) && !unwell.has(targetUid));
  await limit.map(recovered, ({ targetUid }) => health.recovered(targetUid));
  const known = [...run.troubled.values()].map(({ retryMs }) => retryMs);
  const waits = [...known, ...suspectedMs, ...failedMs].filter((ms) => ms !== undefined);
  return waits.length > 0 ? Math.min(...waits) : undefined;
}
