import { BindingSpec, Free, Many, One, Rule, Text, Time, Whole } from '@symphony/model';
import type { ComponentSpec, LedgerState, OutcomeReport, PendingOutcome } from '@symphony/model';

/** Whose deployment a record speaks of. */
export class RecordOwner {
  @Text({ required: true, oneOf: ['Instance', 'Target', 'Inline'] }) kind!: 'Instance' | 'Target' | 'Inline';
  @Text({ required: true }) namespace!: string;
  @Text({ required: true }) name!: string;
  @Text({ required: true, min: 1, description: 'Its uid; the key of everything the engine remembers.' })
  uid!: string;
}

/** One component on one target, as it was given to a provider: enough to remove it when all else is gone. */
export class LedgerRow {
  @Text({ required: true, min: 1, max: 253, description: 'Hash over what identifies the row.' }) key!: string;
  @Text({ required: true }) component!: string;
  @Text({ required: true }) role!: string;
  @Text({ required: true }) provider!: string;
  @Text({ required: true }) bindingHash!: string;
  @Text({ required: true }) scope!: string;
  @One(() => BindingSpec, { required: true }) binding!: BindingSpec;
  @Free({ required: true, description: 'The component as applied, its expressions unresolved.' })
  applied!: ComponentSpec;
  @Text({
    required: true,
    description: 'Keyed digest of the resolved values; empty until something was confirmed.',
  })
  digest!: string;
  @Text({
    required: true,
    oneOf: ['intent', 'applied', 'removing'],
    description: '`intent` and `removing`: a call was about to be made, its outcome is unknown.',
  })
  state!: LedgerState;
  @Text({ required: true, max: 64, description: 'Generation of the owner that the row speaks of.' })
  generation!: string;
  @Time({ required: true }) updatedAt!: string;
  @Free({ description: 'The provider accepted it, and a report is awaited.' }) pending?: PendingOutcome;
  @Free({ description: 'What was reported before the provider had accepted it.' }) report?: OutcomeReport;
  @Whole({ description: 'Reports of failure since it was last applied.' }) reportedFailures?: number;
}

/** Uids of owner and target as what is on the target is marked with, where they were made anew since. */
class RecordedMarks {
  @Text({ required: true, min: 1 }) owner!: string;
  @Text({ required: true, min: 1 }) target!: string;
}

/** Why the server refuses a write of a leader that was deposed. */
export const TAKEN_OVER =
  'A newer leader has taken over: its epoch is higher. Whoever is refused here stops; it must not read again and retry.';

/**
 * What the engine has applied for one owner on one target. Each write carries the epoch of its leader, and the server itself
 * refuses one that lost its Lease.
 */
@Rule({ cel: 'self.epoch >= oldSelf.epoch', message: TAKEN_OVER, fieldPath: '.epoch' })
export class LedgerSpec {
  @Whole({ required: true, min: 0, description: 'Transitions of the Lease when this was written.' })
  epoch!: number;
  @One(() => RecordOwner, { required: true }) owner!: RecordOwner;
  @Text({ required: true, min: 1 }) targetUid!: string;
  @Text({ required: true }) targetName!: string;
  @One(() => RecordedMarks, {
    description: 'Uids that providers know owner and target by, where these were restored with new ones.',
  })
  knownAs?: RecordedMarks;
  @Many(() => LedgerRow, { uniqueBy: 'key' }) entries?: LedgerRow[];
}

/** One run, as history keeps it. */
export class RunEntry {
  @Text({ required: true, min: 1, max: 253 }) id!: string;
  @Whole({ required: true }) generation!: number;
  @Text({ required: true, description: 'person, dependent, retry or periodic.' }) cause!: string;
  @Text() actor?: string;
  @Whole({ required: true }) epoch!: number;
  @Time({ required: true }) startedAt!: string;
  @Time({ required: true }) endedAt!: string;
  @Text({ required: true }) result!: string;
  @Text({ required: true, description: 'A stable code.' }) reason!: string;
  @Text() message!: string;
  @Whole() attempts!: number;
  @Free({ description: 'Steps with their actions, reasons, differences, outcomes and times.' })
  steps?: unknown;
}

/** The newest runs of one object, for people. Nothing is decided by it: deleted, it is missed by nobody but them. */
export class RunHistorySpec {
  @One(() => RecordOwner, { required: true }) owner!: RecordOwner;
  @Many(() => RunEntry, { uniqueBy: 'id', max: 200 }) runs?: RunEntry[];
  @Free({ description: "The newest outcome in Symphony's wire form." }) summary?: unknown;
}
