import type { TargetSelector } from '@symphony/model';
import { matchTargets } from '@symphony/planning';

/** More sets of properties than this are not compared: every instance that selects targets is ordered then. */
const MAX_PROPERTY_SETS = 32;

/**
 * Whether an instance selects the target as it was or as it is.
 * @param wanted `spec.target` of the instance
 * @param target `properties`: every set of them that the target had since its dependents were last ordered, and has
 */
export function selectsTarget(
  wanted: TargetSelector | undefined,
  { name, properties }: { name: string; properties: readonly Record<string, string>[] },
): boolean {
  if (properties.length > MAX_PROPERTY_SETS) return true;
  const sets = properties.length > 0 ? properties : [{}];
  return sets.some(
    (set) => matchTargets(wanted, [{ name, spec: { properties: set }, deleting: false }]).matched.length > 0,
  );
}
