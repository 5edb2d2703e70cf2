import type {
  Assignment,
  BindingSpec,
  Deployment,
  DeploymentOwner,
  DeploymentTarget,
  LedgerEntry,
  ResolvedComponent,
} from '@symphony/model';
import type { ComponentStep } from '@symphony/provider-kit';

/** One (target, role, binding): where one provider serves one target. */
export interface Site {
  targetUid: string;
  targetName: string;
  role: string;
  binding: BindingSpec;
  bindingHash: string;
  scope: string;
}

/** A place that is known without a run, as of what is stored. */
export interface KnownPlace extends Site {
  owner: DeploymentOwner;
  target: DeploymentTarget;
}

interface Wanted {
  ledger: readonly LedgerEntry[];
  deployment: Deployment;
  resolvedOf: (target: string, component: string) => ResolvedComponent | undefined;
}

/** Every place that the desired state reaches. What is only to be removed needs no look. */
export function sitesOf(deployment: Deployment): Site[] {
  const uids = new Map(deployment.targets.map((target) => [target.name, target.uid]));
  const sites = new Map<string, Site>();
  for (const { target, role, binding, bindingHash, scope } of deployment.assignments) {
    const targetUid = uids.get(target);
    if (targetUid === undefined) continue;
    const key = JSON.stringify([targetUid, role, bindingHash]);
    if (!sites.has(key)) sites.set(key, { targetUid, targetName: target, role, binding, bindingHash, scope });
  }
  return [...sites.values()];
}

/** What a look at a place asks for: what belongs there, and what was left there. */
export function referencesOf(site: Site, { ledger, deployment, resolvedOf }: Wanted): ComponentStep[] {
  const here = (item: Assignment): boolean =>
    item.target === site.targetName && item.role === site.role && item.bindingHash === site.bindingHash;
  const wanted = deployment.assignments.filter(here).flatMap((assignment): ComponentStep[] => {
    const resolved = resolvedOf(assignment.target, assignment.component);
    return resolved ? [{ action: 'update', component: resolved.component }] : [];
  });
  const names = new Set(wanted.map((step) => step.component.name));
  const gone = ledger.filter(
    (entry) =>
      entry.targetUid === site.targetUid &&
      entry.role === site.role &&
      entry.bindingHash === site.bindingHash &&
      !names.has(entry.component),
  );
  return [...wanted, ...gone.map((entry): ComponentStep => ({ action: 'delete', component: entry.applied }))];
}
