import {
  StateCode,
  SummaryState,
  type ComponentStatus,
  type StoredObject,
  type SummaryResult,
  type TargetResultSpec,
} from '@symphony/model';

/**
 * The newest outcome of an object as its status tells it, where the summary itself is not stored: nobody writes one for what is
 * well. Undefined before the first run, and while one is under way.
 */
export function summaryOfStatus(object: StoredObject, key: string): SummaryResult | undefined {
  const { engine } = object.status;
  if (engine?.status !== 'Succeeded' && engine?.status !== 'Failed') return undefined;
  const isWell = engine.status === 'Succeeded';
  const targets = Object.fromEntries(
    (engine.targetStatuses ?? []).map((target): [string, TargetResultSpec] => [
      target.name,
      {
        status: target.status === 'OK' ? 'OK' : 'Target Update Failed',
        components: Object.fromEntries(target.componentStatuses.map(resultOf)),
      },
    ]),
  );
  const components = (engine.targetStatuses ?? []).flatMap(({ componentStatuses }) => componentStatuses);
  return {
    summaryid: key,
    summary: {
      targetCount: engine.targets ?? 0,
      successCount: engine.deployed ?? 0,
      plannedDeployment: components.length,
      currentDeployed: components.filter(({ status }) => status === 'OK').length,
      ...(components.length > 0 ? { targets } : {}),
      ...(isWell ? {} : { message: `${engine.reason}: ${engine.statusDetails ?? ''}` }),
      skipped: false,
      isRemoval: object.deletionTimestamp !== undefined,
      allAssignedDeployed: isWell,
      removed: false,
    },
    generation: String(engine.observedGeneration),
    time: engine.lastModified,
    state: SummaryState.Done,
    deploymentHash: '',
  };
}

function resultOf({
  name,
  status,
  message = '',
}: ComponentStatus): [string, { status: number; message: string }] {
  const isOk = status === 'OK';
  return [
    name,
    {
      status: isOk ? StateCode.Untouched : StateCode.UpdateFailed,
      message: isOk ? message : `${status}: ${message}`,
    },
  ];
}
