import {
  mapTexts,
  storableDeep,
  type Assignment,
  type ComponentSpec,
  type Deployment,
  type LedgerEntry,
  type Observation,
  type ResolvedComponent,
} from '@symphony/model';
import { MASK, maskDiffs, PairMap } from '@symphony/planning';
import { changedFields, redactedDeep, type ObservedComponent } from '@symphony/provider-kit';
import type { RunValues } from './resolver.js';
import type { RunTargets } from './run-targets.js';
import type { Site } from './sites.js';

/** By names of target and component. */
type ResolvedOf = (target: string, component: string) => ResolvedComponent | undefined;
type ComplaintOf = (target: string, component: string) => string | undefined;

/** What was seen at one place. */
export interface Observed {
  site: Site;
  observation: Observation;
  /** Of a look that was cut short for others' sake. */
  silentMs?: number;
  rule?: Parameters<typeof changedFields>[0];
}

/** Compares by the change rule of the provider that answered; what it said is storable text, so the other side has to be. */
export function differsBy(observed: readonly Observed[], deployment: Deployment) {
  const uids = new Map(deployment.targets.map((target) => [target.name, target.uid]));
  const byTarget = new Map<string, Observed[]>();
  for (const item of observed) {
    const { targetUid } = item.site;
    byTarget.set(targetUid, [...(byTarget.get(targetUid) ?? []), item]);
  }
  return ({ target, role, bindingHash }: Assignment, desired: ComponentSpec, seen: ComponentSpec) => {
    const here = byTarget.get(uids.get(target) ?? '') ?? [];
    const rule = here.find(({ site }) => site.role === role && site.bindingHash === bindingHash)?.rule;
    return rule ? changedFields(rule, seen, storableDeep(desired)) : [];
  };
}

export function complaintsOf(observed: readonly Observed[], redact: (text: string) => string): ComplaintOf {
  const complaints = new PairMap<string>();
  for (const { site, observation } of observed) {
    if (!observation.readable) continue;
    for (const { name, health } of observation.components as ObservedComponent[]) {
      if (health?.status === 'unhealthy') complaints.set(site.targetName, name, redact(health.message));
    }
  }
  return (target, component) => complaints.get(target, component);
}

export function byPair(resolved: readonly ResolvedComponent[]): ResolvedOf {
  const pairs = new PairMap<ResolvedComponent>();
  for (const item of resolved) pairs.set(item.target, item.component.name, item);
  return (target, component) => pairs.get(target, component);
}

/**
 * A component as a target reports it, without secrets: neither those known, nor whatever stands where the declaration has one, as
 * it may be an older one. It stays a component: what has to be an object or a list has masks inside.
 */
export function shownOf(
  seen: ComponentSpec,
  sensitive: readonly string[],
  redact: (text: string) => string,
): ComponentSpec {
  const [masked] = maskDiffs([{ path: '', after: seen }], sensitive);
  const { ...shown } = (masked?.after ?? seen) as ComponentSpec;
  for (const key of ['metadata', 'properties', 'sidecars'] as const) {
    if ((shown[key] as unknown) === MASK) Object.assign(shown, { [key]: mapTexts(seen[key], () => MASK) });
  }
  return redactedDeep(shown, redact);
}

/** Where components have secrets: those that are wanted, and those that are left of what was. */
export async function sensitivePaths(from: {
  deployment: Deployment;
  ledger: readonly LedgerEntry[];
  resolvedOf: ResolvedOf;
  targets: RunTargets;
  values: RunValues;
}): Promise<(site: Pick<Site, 'targetName'>, component: string) => readonly string[]> {
  const { deployment, ledger, resolvedOf, targets, values } = from;
  const left = new PairMap<readonly string[]>();
  for (const entry of ledger) {
    if (resolvedOf(entry.targetName, entry.component)) continue;
    const paths = await values.sensitiveOf(entry, deployment, targets.of(entry));
    left.set(entry.targetName, entry.component, paths);
  }
  return ({ targetName }, component) =>
    resolvedOf(targetName, component)?.sensitive ?? left.get(targetName, component) ?? [];
}
