import type { BindingSpec } from './objects/target.js';
import type { ComponentSpec } from './objects/component.js';
import type { DeploymentOwner } from './deployment.js';

/** What identifies a ledger entry, beside the owner. */
export interface LedgerKey {
  targetUid: string;
  component: string;
  role: string;
  provider: string;
  bindingHash: string;
}

/**
 * - `intent`: a create or update was about to be called; its outcome is unknown.
 * - `applied`: the provider said that it is there.
 * - `removing`: a delete was about to be called; its outcome is unknown.
 */
export type LedgerState = 'intent' | 'applied' | 'removing';

/** What was accepted by a provider and is reported as done, or not, by somebody else later. */
export interface PendingOutcome {
  phase: 'apply' | 'remove';
  /** RFC 3339. */
  since: string;
  /** RFC 3339: when it counts as failed without a report. */
  deadline: string;
  /** The provider's sentence, redacted. */
  message: string;
  /** What a report has to name, where the provider gave it one. */
  ticket?: string;
  /** Of an apply: the component as declared, and the keyed digest of what the provider was given. */
  applied?: ComponentSpec;
  digest?: string;
  /** It was told to have failed, or nobody told in time: the next run asks the provider anew. */
  ended?: boolean;
}

/** What was reported of a component that is pending, or about to be. */
export interface OutcomeReport {
  state: 'succeeded' | 'failed';
  message: string;
  ticket?: string;
  /** RFC 3339. */
  at: string;
}

/**
 * Uids by which a target's things name their owner and target, where these were made anew since: nothing but their record was
 * restored, what is deployed was not touched.
 */
export interface KnownAs {
  owner: string;
  target: string;
}

/**
 * What we applied for one owner on one target: enough to remove it when solution, target or binding are gone.
 * Expressions are stored unresolved; `digest` is an HMAC over the resolved values.
 */
export interface LedgerEntry extends LedgerKey {
  owner: DeploymentOwner;
  targetName: string;
  scope: string;
  binding: BindingSpec;
  applied: ComponentSpec;
  /** Empty while nothing was ever confirmed. */
  digest: string;
  state: LedgerState;
  /** Generation of the owner that this entry speaks of, as decimal text. */
  generation: string;
  /** RFC 3339. */
  updatedAt: string;
  /** With the states `intent` and `removing`: the provider accepted it, and a report is awaited. */
  pending?: PendingOutcome;
  report?: OutcomeReport;
  /** Reports of failure since it was last applied. */
  reportedFailures?: number;
  /** The same for all entries of one owner on one target. Absent: their own uids. */
  knownAs?: KnownAs;
}

export function ledgerKeyText(key: LedgerKey): string {
  return JSON.stringify([key.targetUid, key.component, key.role, key.provider, key.bindingHash]);
}
