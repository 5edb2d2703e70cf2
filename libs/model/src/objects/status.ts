/** The four values that `status` and `provisioningStatus.status` may hold. */
export type StatusWord = 'Reconciling' | 'Deleting' | 'Succeeded' | 'Failed';

export interface ComponentError {
  code: string;
  message: string;
  target: string;
}

export interface TargetError extends ComponentError {
  details: ComponentError[];
}

export interface ProvisioningStatus {
  operationId: string;
  status: StatusWord;
  percentComplete?: number;
  failureCause?: string;
  error: { code?: string; message?: string; target?: string; details?: TargetError[] };
}

export interface ComponentStatus {
  name: string;
  status: string;
  message?: string;
}

export interface TargetStatus {
  name: string;
  status: string;
  message?: string;
  componentStatuses: ComponentStatus[];
}

/** Kubernetes' condition, so that the same status serves both modes. */
export interface Condition {
  type: 'Ready' | 'Reconciling' | 'Stalled';
  status: 'True' | 'False' | 'Unknown';
  reason: string;
  message: string;
  observedGeneration: number;
  lastTransitionTime: string;
}

/** What is so, as of the last run; `observedGeneration` is the generation it speaks of. */
export interface ObjectStatus {
  provisioningStatus: ProvisioningStatus;
  status: StatusWord;
  statusDetails?: string;
  /** A stable code of libs/model `reasons`. */
  reason: string;
  observedGeneration: number;
  lastModified: string;
  deployed: number;
  targets: number;
  runningJobId?: number;
  targetStatuses?: TargetStatus[];
  conditions?: Condition[];
}
