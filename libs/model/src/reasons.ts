/** Stable codes that say why something is as it is, each with what a person can do about it. */
export const REASONS = {
  // of objects and runs
  Succeeded: 'Everything is as declared.',
  Reconciling: 'A run is under way.',
  Queued: 'An order waits for its run.',
  Deleting: 'The removal is under way.',
  Inactive:
    'activeState is inactive: everything was removed and the object kept. Set it to active to deploy again.',
  DryRun: 'isDryRun is set: the run was planned and validated, nothing was touched.',
  Suspended: 'Runs are suspended. Resume the object to let it run.',
  SolutionNotFound:
    'The solution does not exist. Create it, or correct spec.solution; nothing is removed meanwhile.',
  TargetNotFound: 'The target does not exist. Create it, or correct spec.target.name.',
  NoTargetMatched: 'No target matches. Correct spec.target, or the properties of a target.',
  EmptyDeployment:
    'The deployment came out empty although components are deployed. To remove them all, delete the instance, set activeState: inactive, or set the annotation symphony/allow-empty: "true".',
  InvalidSpec: 'The object cannot be read as it is stored. Correct its spec.',
  InvalidDeployment: 'The deployment cannot be built. Correct the field that the message names.',
  DependencyCycle: 'Components depend on each other in a circle. Remove one of the dependencies.',
  DependencyUnknown:
    'A component depends on one that the solution does not have. Add it, or remove the dependency.',
  ExpressionFailed: 'An expression cannot be evaluated. Correct the expression that the message names.',
  RoleNotOffered: "The target has no binding whose role is the component's type. Add one to its topologies.",
  ProviderUnknown: 'The binding names a provider that this engine does not have. Correct the name.',
  ProviderDisabled: 'The provider is switched off by the configuration. Switch it on there.',
  ProviderConfigInvalid:
    'The configuration of the binding is not valid. Correct the key that the message names.',
  ValidationFailed:
    'The provider refuses the component as it is. Correct the property that the message names.',
  // of targets and steps
  ValueUnavailable: 'A configuration or secret could not be read. It is tried again.',
  ObservationFailed: 'The target could not be read, so nothing was changed there. It is tried again.',
  ProviderFailed: 'The provider reported a failure. It is tried again.',
  ProviderTimeout: 'The provider did not answer in time. It is tried again.',
  ReportTimeout:
    'The provider accepted it, but nobody reported the outcome in time. It is asked for anew at the next periodic run, or when you reconcile; a report that comes late still counts.',
  TargetBusy: 'The target takes long to answer; this run did not wait for it. It is tried again.',
  TargetUnavailable: 'The target failed repeatedly and is left alone until a probe succeeds.',
  Pending: 'The provider accepted it; the outcome will be reported.',
  DependencyFailed: 'Something this component depends on is not there yet.',
  OwnedByOther:
    'Something of that name exists and belongs to somebody else. Rename the component, or remove the other.',
  NotAdopted:
    'Another engine has deployed it, or it was restored from a backup without its ledger: nothing is changed and nothing removed. Restore the ledger, or set symphony/adopt: "true" on the object or its namespace.',
  Unhealthy:
    'It is there as declared, but it does not work. Correct what its last words complain about; it is looked at again.',
  Superseded: 'A newer order came in; this run made way for it.',
  Interrupted: 'The engine stopped or lost its lease in mid-run. The run is repeated.',
  TargetInUse: 'Components are still deployed on the target. They are being removed first.',
  RemovalIncomplete: 'Not everything could be removed. What is left is listed; the removal is tried again.',
  DeleteTimedOut:
    'It is tried again at the periodic look, and when you reconcile. To let the object go and leave what is deployed, delete it with orphan=true; in Kubernetes mode setting symphony/deletion-policy: orphan on it does the same.',
  StoreUnavailable:
    'The store could not be reached in mid-run, so the run was broken off. It is repeated as soon as the store answers.',
  StoreRefused:
    'The store does not let the engine write down what it does, so nothing more was done. Grant the right, or raise the quota, that the message names; it is tried again.',
  InternalError: 'The engine met an error of its own. It is tried again; the log has the details.',
  // of actions in a plan
  NotDeployed: 'Not deployed yet.',
  Missing: 'It was deployed, but the target no longer has it.',
  SpecChanged: 'The declaration changed since it was applied.',
  ValueChanged: 'A value that the declaration refers to changed since it was applied.',
  Drifted: 'The target reports something else than declared.',
  Unfinished: 'An earlier run was interrupted before its outcome was known.',
  ForceRedeploy: 'forceRedeploy is set on the target.',
  UpToDate: 'Nothing to do.',
  Removed: 'It is no longer declared.',
  TargetNoLongerMatches: 'The target no longer matches.',
  TargetDeleting: 'The target is being deleted.',
  ProviderChanged: 'Its provider, role or binding changed: the old one is removed first.',
  OwnerDeleting: 'Its owner is being deleted.',
  Unknown: 'It could not be observed.',
} as const;

export type ReasonCode = keyof typeof REASONS;

export interface Reason {
  code: ReasonCode;
  message: string;
}

/** A reason with its standard sentence, and what is particular to this case in front. */
export function reason(code: ReasonCode, detail?: string): Reason {
  return { code, message: detail ? `${detail} ${REASONS[code]}` : REASONS[code] };
}

/** What a lane should do after a run that ended with this reason. */
export type Retry = 'backoff' | 'wait-for-change';

const WAITS_FOR_CHANGE: ReadonlySet<ReasonCode> = new Set([
  'SolutionNotFound',
  'TargetNotFound',
  'NoTargetMatched',
  'EmptyDeployment',
  'InvalidSpec',
  'InvalidDeployment',
  'DependencyCycle',
  'DependencyUnknown',
  'RoleNotOffered',
  'ProviderUnknown',
  'ProviderDisabled',
  'ProviderConfigInvalid',
  'ValidationFailed',
  'ReportTimeout',
  'NotAdopted',
]);

/** Errors that only a new spec can mend wait for it; all others are retried with backoff. */
export function retryOf(code: ReasonCode): Retry {
  return WAITS_FOR_CHANGE.has(code) ? 'wait-for-change' : 'backoff';
}
