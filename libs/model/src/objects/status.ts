import { Flag, Many, One, Text, TextMap, Time, Whole } from '../fields.js';

const STATUS_WORDS = ['Reconciling', 'Deleting', 'Succeeded', 'Failed'] as const;
/** The four values that `status` and `provisioningStatus.status` may hold. */
export type StatusWord = (typeof STATUS_WORDS)[number];

export class ComponentError {
  @Text() code!: string;
  @Text() message!: string;
  @Text() target!: string;
}

export class TargetError extends ComponentError {
  @Many(() => ComponentError) details!: ComponentError[];
}

/** What failed as a whole; empty when nothing did. */
export class StatusError {
  @Text() code?: string;
  @Text() message?: string;
  @Text() target?: string;
  @Many(() => TargetError) details?: TargetError[];
}

export class ProvisioningStatus {
  @Text() operationId!: string;
  @Text({ oneOf: STATUS_WORDS }) status!: StatusWord;
  @Whole() percentComplete?: number;
  @Text() failureCause?: string;
  @One(() => StatusError) error!: StatusError;
}

export class ComponentStatus {
  @Text() name!: string;
  @Text() status!: string;
  @Text() message?: string;
}

export class TargetStatus {
  @Text() name!: string;
  @Text() status!: string;
  @Text() message?: string;
  @Many(() => ComponentStatus) componentStatuses!: ComponentStatus[];
}

/** Kubernetes' condition, so that the same status serves both modes. */
export class Condition {
  @Text({ required: true, oneOf: ['Ready', 'Reconciling', 'Stalled'] })
  type!: 'Ready' | 'Reconciling' | 'Stalled';
  @Text({ required: true, oneOf: ['True', 'False', 'Unknown'] }) status!: 'True' | 'False' | 'Unknown';
  @Text() reason!: string;
  @Text() message!: string;
  @Whole() observedGeneration!: number;
  @Time() lastTransitionTime!: string;
}

/** What is so, as of the last run; `observedGeneration` is the generation it speaks of. */
export class ObjectStatus {
  @One(() => ProvisioningStatus) provisioningStatus!: ProvisioningStatus;
  @Text({ oneOf: STATUS_WORDS }) status!: StatusWord;
  @Text() statusDetails?: string;
  @Text({ description: 'A stable code.' }) reason!: string;
  @Whole({ description: 'The generation that the status speaks of.' }) observedGeneration!: number;
  @Time() lastModified!: string;
  @Whole({ description: 'Targets that hold everything which is meant for them.' }) deployed!: number;
  @Whole({ description: 'Targets of the deployment.' }) targets!: number;
  @Whole({
    description:
      'Number of the run that the status tells the end of; runs that change nothing are not counted.',
  })
  runningJobId?: number;
  @Whole({ description: 'Number of the newest such run: a higher one than `runningJobId` is under way.' })
  expectedRunningJobId?: number;
  @Many(() => TargetStatus) targetStatuses?: TargetStatus[];
  @Many(() => Condition, { uniqueBy: 'type' }) conditions?: Condition[];
  @Flag({
    description:
      'The status was too large: something was left out, what is well before problems. REST has the whole.',
  })
  truncated?: boolean;
}

/** The status as it is shown; empty before the first run. What people and agents reported stands beside what we found. */
export class DeployableStatus extends ObjectStatus {
  @TextMap({ description: 'What people and agents reported with PUT targets/status.' })
  properties?: Record<string, string>;
}
