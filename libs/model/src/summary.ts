/** Symphony's wire form of a run's outcome. */
export interface ComponentResultSpec {
  /** A number of `StateCode`. */
  status: number;
  message: string;
}

export interface TargetResultSpec {
  status: 'OK' | 'Target Update Failed' | 'Target Delete Failed';
  message?: string;
  components?: Record<string, ComponentResultSpec>;
}

export interface SummarySpec {
  targetCount: number;
  successCount: number;
  plannedDeployment: number;
  currentDeployed: number;
  targets?: Record<string, TargetResultSpec>;
  message?: string;
  jobID?: string;
  skipped: boolean;
  isRemoval: boolean;
  allAssignedDeployed: boolean;
  removed: boolean;
}

export const SummaryState = { Pending: 0, Running: 1, Done: 2 } as const;
export type SummaryState = (typeof SummaryState)[keyof typeof SummaryState];

export interface SummaryResult {
  summary: SummarySpec;
  summaryid?: string;
  generation: string;
  /** RFC 3339, UTC. */
  time: string;
  state: SummaryState;
  deploymentHash: string;
}
