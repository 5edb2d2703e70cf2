import { DeployableStatus, Flag, Many, One, Text, Time, Whole } from '@symphony/model';

/** How far a run has come. */
class RunProgress {
  @Whole({ description: 'Actions that the run has to take.' }) planned!: number;
  @Whole({ description: 'Actions that are done.' }) done!: number;
  @Text({ description: 'Id of the run.' }) run?: string;
}

/** An order given by an annotation of the object, as far as the engine has come with it. */
class HandledOrder {
  @Text({ required: true, description: 'The annotation that gave the order.' }) order!: string;
  @Text({ description: 'Its value when it was handled: the same value orders nothing again.' })
  request!: string;
  @Time() handledAt!: string;
}

/**
 * The status of a Target or Instance in Kubernetes: what every mode shows, and what the engine has to remember about the object,
 * since it writes nothing else on it but its finalizer.
 */
export class ResourceStatus extends DeployableStatus {
  @Whole({ description: "Symphony's name of `observedGeneration`." }) generation?: number;
  @Whole({ description: 'Of the claim that wrote it.' }) epoch?: number;
  @Whole({ description: 'Number of the newest run that was ordered.' }) expectedRunningJobId?: number;
  @Text({ description: 'Hash of the desired state that was last carried out as a whole.' })
  deploymentHash?: string;
  @Time({ description: 'When the deployment of this generation began; its time limit counts from here.' })
  startedAt?: string;
  @Time({ description: 'When the removal began; `delete-timeout` counts from here.' })
  deleteStartedAt?: string;
  @Flag({ description: 'Runs are suspended until somebody resumes them.' }) suspended?: boolean;
  @Many(() => HandledOrder, { uniqueBy: 'order' }) orders?: HandledOrder[];
  @One(() => RunProgress) progress?: RunProgress;
  @Flag({ description: 'The status was too large: what is well was left out. REST has the whole.' })
  truncated?: boolean;
  @Time({ description: 'When `properties` were last reported.' }) reportedAt?: string;
}
