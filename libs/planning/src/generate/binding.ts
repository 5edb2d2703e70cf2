import { hashOf, type BindingSpec } from '@symphony/model';

/** Identity of a binding in the ledger: another provider or configuration is another place. Expressions stay unresolved. */
export function bindingHashOf(binding: BindingSpec): string {
  return hashOf({ role: binding.role, provider: binding.provider, config: binding.config ?? {} });
}

const DEFAULT_SCOPE = 'default';

/** The scope of an instance on a target: its own, else what the target says for instances, else `default`. */
export function scopeOf(instanceScope: string | undefined, solutionScope: string | undefined): string {
  return instanceScope || solutionScope || DEFAULT_SCOPE;
}
