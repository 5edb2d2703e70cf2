import { DeployableStatus, Flag, Many, One, Rule, Text, Time, Whole } from '@symphony/model';
import { TAKEN_OVER } from './records.js';

/** How far a run has come. */
class RunProgress {
  @Whole({ description: 'Components that the run is about.' }) planned!: number;
  @Whole({ description: 'Those of them that are as declared by now.' }) done!: number;
  @Text({ description: 'Id of the run, as its history has it.' }) run!: string;
}

/** An order given by an annotation of the object, as far as the engine has come with it. */
class HandledOrder {
  @Text({ required: true, description: 'The annotation that gave the order.' }) order!: string;
  @Text({
    description:
      'Its value when it was handled, or the hash of a long one: the same value orders nothing again.',
  })
  request!: string;
  @Time() handledAt!: string;
}

/**
 * The status of a Target or Instance in Kubernetes: what every mode shows, and what the engine has to remember about the object,
 * since it writes nothing else on it but its finalizer.
 *
 * The epoch never falls, but it may be left out: who edits a status by hand and takes it away locks nobody out, and the next
 * write of the engine puts it back.
 */
@Rule({
  cel: '!has(oldSelf.epoch) || !has(self.epoch) || self.epoch >= oldSelf.epoch',
  message: TAKEN_OVER,
  fieldPath: '.epoch',
})
export class ResourceStatus extends DeployableStatus {
  @Whole({ description: "Symphony's name of `observedGeneration`." }) generation?: number;
  @Whole({ description: 'Of the claim that wrote it; the server refuses a lower one.' }) epoch?: number;
  @Text({ description: 'Hash of the desired state that was last carried out as a whole.' })
  deploymentHash?: string;
  @Time({ description: 'When the first run began that said something of this generation.' })
  startedAt?: string;
  @Time({ description: 'When the first run began that said something of the removal.' })
  deleteStartedAt?: string;
  @Flag({ description: 'Runs are suspended until somebody resumes them.' }) suspended?: boolean;
  @Many(() => HandledOrder, { uniqueBy: 'order' }) orders?: HandledOrder[];
  @One(() => RunProgress) progress?: RunProgress;
  @Time({ description: 'When `properties` were last reported.' }) reportedAt?: string;
}
