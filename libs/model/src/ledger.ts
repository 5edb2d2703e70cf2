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
}

export function ledgerKeyText(key: LedgerKey): string {
  return JSON.stringify([key.targetUid, key.component, key.role, key.provider, key.bindingHash]);
}
