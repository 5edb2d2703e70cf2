import {
  StateCode,
  type Action,
  type ComponentSpec,
  type LedgerKey,
  type PendingOutcome,
} from '@symphony/model';
import type { ApplyResult } from '@symphony/provider-kit';
import { pendingReason } from '../solution/index.js';
import type { ActionOutcome } from './execution.js';
import type { LedgerOutcome } from './ledger.js';

/** A report that is awaited for longer than this will not come. */
const LONGEST_MS = 366 * 24 * 3_600_000;

/** What the ledger and the run keep of an action that a provider has accepted. */
export function pendingOutcome(
  action: Action,
  key: LedgerKey,
  result: ApplyResult,
  what: { applied: ComponentSpec; digest: string; defaultMs: number; redact: (text: string) => string },
): { ledger: LedgerOutcome; outcome: ActionOutcome } {
  const { ticket, deadlineMs } = result.pending ?? {};
  const asked = deadlineMs !== undefined && deadlineMs > 0 ? deadlineMs : what.defaultMs;
  const now = Date.now();
  const pending: PendingOutcome = {
    phase: action.kind === 'delete' ? 'remove' : 'apply',
    since: new Date(now).toISOString(),
    deadline: new Date(now + Math.min(asked, LONGEST_MS)).toISOString(),
    message: what.redact(result.message),
    ...(ticket === undefined ? {} : { ticket }),
    ...(action.kind === 'delete' ? {} : { applied: what.applied, digest: what.digest }),
  };
  return {
    ledger: { kind: 'pending', key, pending },
    outcome: { action, state: 'pending', reason: pendingReason(pending), stateCode: StateCode.Running },
  };
}
