import { Free, Many, One, Rule, Text, Time, Whole } from '@symphony/model';
import { RecordOwner, TAKEN_OVER } from './records.js';

/** What became of the newest order that has run. */
export class PostedRun {
  @Text({ required: true, description: 'succeeded, waiting or retry.' }) result!: string;
  @Text({ required: true, description: 'A stable code.' }) reason!: string;
  @Text() message?: string;
  @Whole({ min: 0, description: 'Failed ones since the last success or new order.' }) attempts?: number;
  @Time({ required: true }) endedAt!: string;
  @Text({ description: 'The name by which its summary is asked for.' }) summaryKey?: string;
  @Text({ description: 'Of the deployment, as it was posted.' }) generation?: string;
  @Text({ description: 'Of the deployment, as it was posted or as it was carried out.' })
  deploymentHash?: string;
  @Free({ description: "The outcome in Symphony's wire form." }) summary?: unknown;
}

/**
 * The newest deployment that was posted under one name, until it has been carried out; then its number and outcome. Whichever
 * replica takes it writes `seq` and what is beside it, whoever leads writes `doneSeq` and `last`.
 */
@Rule({ cel: 'self.epoch >= oldSelf.epoch', message: TAKEN_OVER, fieldPath: '.epoch' })
@Rule({
  cel: 'self.seq >= oldSelf.seq && self.doneSeq >= oldSelf.doneSeq',
  message: 'Orders are numbered upwards, and what has run stays so.',
  fieldPath: '.seq',
})
export class PostedDeploymentSpec {
  @Whole({ required: true, min: 0, description: 'Of the claim that wrote `last`.' }) epoch!: number;
  @One(() => RecordOwner, { required: true }) owner!: RecordOwner;
  @Whole({ required: true, min: 1, description: 'Number of the newest order.' }) seq!: number;
  @Text({ required: true, oneOf: ['update', 'delete'] }) action!: 'update' | 'delete';
  @Whole({ required: true, min: 0, description: "The sender's generation, where it is a number." })
  generation!: number;
  @Text({ required: true, description: "The sender's number: a lower one is refused from then on." })
  jobId!: string;
  @Text({ description: 'The one target that it is limited to.' }) activeTarget?: string;
  @Text({ description: 'Who posted it.' }) actor?: string;
  @Time({ required: true }) postedAt!: string;
  @Text({ max: 1_572_864, description: 'What was posted, as JSON; goes when it has been carried out.' })
  deployment?: string;
  @Whole({ required: true, min: 0, description: 'Number of the newest order that has run.' })
  doneSeq!: number;
  @One(() => PostedRun) last?: PostedRun;
}

/** A row of a ledger that a report is about, as it was when the report came. */
export class ReportedRow {
  @Text({ required: true, min: 1, max: 600, description: 'Owner and key of the row.' }) id!: string;
  @One(() => RecordOwner, { required: true }) owner!: RecordOwner;
  @Text({ required: true, description: 'Its key in the ledger.' }) key!: string;
  @Text({ required: true, description: 'Of the owner.' }) generation!: string;
  @Text({ description: 'When the provider had accepted it; absent before that.' }) since?: string;
}

/** What somebody reported of a component that is pending, until the leader has put it into the ledger. */
export class ComponentReportSpec {
  @Text({ required: true, min: 1 }) targetUid!: string;
  @Text({ required: true }) targetName!: string;
  @Text({ required: true }) component!: string;
  @Text({ required: true, oneOf: ['succeeded', 'failed'] }) state!: 'succeeded' | 'failed';
  @Text({ required: true }) message!: string;
  @Text({ description: "The provider's, where it gave one." }) ticket?: string;
  @Time({ required: true, description: 'When it was taken.' }) at!: string;
  @Many(() => ReportedRow, { required: true, uniqueBy: 'id', max: 1_000 }) rows!: ReportedRow[];
}
