import { hashOf, type Deployment, type LedgerEntry } from '@symphony/model';

/**
 * Whether everything of a desired state was applied as it is declared now, and nothing else is there, as far as the ledger
 * tells. What a run that was cut off has left shows here, also when the desired state it ran for was taken back since. Pure.
 */
export function ledgerHolds(deployment: Deployment, ledger: readonly LedgerEntry[]): boolean {
  // It changes nothing, so there is nothing to hold.
  if (deployment.dryRun) return true;
  if (deployment.removal) return ledger.length === 0;
  const { assignments, components } = deployment;
  if (ledger.length !== assignments.length) return false;
  const declared = new Map(components.map((component) => [component.name, component]));
  const known = new Map(ledger.map((entry) => [placeOf(entry.targetName, entry), entry]));
  return assignments.every((assignment) => {
    const entry = known.get(placeOf(assignment.target, assignment));
    return entry?.state === 'applied' && hashOf(entry.applied) === hashOf(declared.get(assignment.component));
  });
}

function placeOf(
  target: string,
  { component, role, bindingHash }: Pick<LedgerEntry, 'component' | 'role' | 'bindingHash'>,
): string {
  return JSON.stringify([target, component, role, bindingHash]);
}
