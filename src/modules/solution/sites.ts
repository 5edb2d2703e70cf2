import type {
  Assignment,
  BindingSpec,
  Deployment,
  DeploymentOwner,
  DeploymentTarget,
  KnownAs,
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
  knownAs?: KnownAs;
}

interface Wanted {
  ledger: readonly LedgerEntry[];
  deployment: Deployment;
  resolvedOf: (target: string, component: string) => ResolvedComponent | undefined;
}

/** Every place that the desired state reaches. What is only to be removed needs no look. */
export function sitesOf(deployment: Deployment): Site[] {
  const uids = new Map(deployment.targets.map((target) => [target.name, target.uid]));
  const sites = new Map<string, Site[]>();
  for (const { target, role, binding, bindingHash, scope } of deployment.assignments) {
    const targetUid = uids.get(target);
    if (targetUid === undefined) continue;
    const here = sites.get(targetUid) ?? [];
    sites.set(targetUid, here);
    if (here.some((site) => site.role === role && site.bindingHash === bindingHash)) continue;
    here.push({ targetUid, targetName: target, role, binding, bindingHash, scope });
  }
  return [...sites.values()].flat();
}

/** What the looks at the places of one run ask for: what belongs there, and what was left there. */
export class References {
  /** By name of the target. */
  readonly #wanted = new Map<string, Assignment[]>();
  /** By uid of the target. */
  readonly #left = new Map<string, LedgerEntry[]>();

  constructor(private readonly from: Wanted) {
    for (const assignment of from.deployment.assignments) push(this.#wanted, assignment.target, assignment);
    for (const entry of from.ledger) push(this.#left, entry.targetUid, entry);
  }

  of({ targetUid, targetName, role, bindingHash }: Site): ComponentStep[] {
    const isHere = (item: Assignment | LedgerEntry): boolean =>
      item.role === role && item.bindingHash === bindingHash;
    const wanted = (this.#wanted.get(targetName) ?? []).filter(isHere).flatMap((item): ComponentStep[] => {
      const resolved = this.from.resolvedOf(item.target, item.component);
      return resolved ? [{ action: 'update', component: resolved.component }] : [];
    });
    const names = new Set(wanted.map((step) => step.component.name));
    const gone = (this.#left.get(targetUid) ?? []).filter(
      (entry) => isHere(entry) && !names.has(entry.component),
    );
    return [
      ...wanted,
      ...gone.map((entry): ComponentStep => ({ action: 'delete', component: entry.applied })),
    ];
  }
}

function push<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key);
  if (list) list.push(item);
  else lists.set(key, [item]);
}
