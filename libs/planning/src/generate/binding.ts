import { hashOf, type BindingSpec } from '@symphony/model';

/**
 * Identity of a place on a target in the ledger: another provider, configuration or scope is another place, from which what
 * is in the old one has to be removed. Expressions stay unresolved.
 */
export function bindingHashOf(binding: BindingSpec, scope: string): string {
  return hashOf({ role: binding.role, provider: binding.provider, config: binding.config ?? {}, scope });
}

const DEFAULT_SCOPE = 'default';

/** The scope of an instance on a target: its own, else what the target says for instances, else `default`. */
export function scopeOf(instanceScope: string | undefined, solutionScope: string | undefined): string {
  return instanceScope || solutionScope || DEFAULT_SCOPE;
}
