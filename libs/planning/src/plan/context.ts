import {
  ledgerKeyText,
  reason,
  type ComponentSpec,
  type DeploymentTarget,
  type LedgerEntry,
  type Reason,
  type ResolvedComponent,
} from '@symphony/model';
import { DeploymentError } from '../errors.js';
import type { Awaited, PlanInput } from './input.js';

/** What was seen for one (target, role, binding). */
export type Seen =
  { readable: true; components: ReadonlyMap<string, ComponentSpec> } | { readable: false; reason: Reason };

/** The input of a plan, indexed. */
export class PlanContext {
  /** The ledger entries that this plan may concern. */
  readonly ledger: readonly LedgerEntry[];
  readonly components: ReadonlyMap<string, ComponentSpec>;
  readonly targets: ReadonlyMap<string, DeploymentTarget>;
  private readonly seen = new Map<string, Seen>();
  private readonly resolved: ReadonlyMap<string, ResolvedComponent>;
  private readonly unresolved: ReadonlyMap<string, Reason>;
  private readonly order: ReadonlyMap<string, number>;

  constructor(readonly input: PlanInput) {
    const { deployment, ledger } = input;
    const { onlyTarget } = deployment;
    this.ledger =
      onlyTarget === undefined ? ledger : ledger.filter((entry) => entry.targetName === onlyTarget);
    this.components = new Map(deployment.components.map((component) => [component.name, component]));
    this.order = new Map(deployment.components.map((component, index) => [component.name, index]));
    this.targets = new Map(deployment.targets.map((target) => [target.name, target]));
    this.resolved = new Map(input.resolved.map((item) => [pairKey(item.target, item.component.name), item]));
    this.unresolved = new Map(
      (input.unresolved ?? []).map((item) => [pairKey(item.target, item.component), item.reason]),
    );
    for (const observation of input.observations) {
      const key = placeKey(observation.targetUid, observation.role, observation.bindingHash);
      // Two reports on one place: the one that says "could not read" counts, as it leads to no change.
      if (this.seen.get(key)?.readable === false) continue;
      this.seen.set(
        key,
        observation.readable
          ? { readable: true, components: new Map(observation.components.map((item) => [item.name, item])) }
          : { readable: false, reason: observation.reason },
      );
    }
  }

  /** A place that nobody looked at is as unknown as one that could not be read. */
  observationOf(targetUid: string, role: string, bindingHash: string): Seen {
    return (
      this.seen.get(placeKey(targetUid, role, bindingHash)) ?? { readable: false, reason: reason('Unknown') }
    );
  }

  resolvedOf(target: string, component: string): ResolvedComponent | Reason {
    const key = pairKey(target, component);
    return this.resolved.get(key) ?? this.unresolved.get(key) ?? reason('ExpressionFailed');
  }

  unavailable(targetUid: string): Reason | undefined {
    return this.input.unavailable?.get(targetUid);
  }

  awaitedAt(entry: LedgerEntry, phase: Awaited['phase']): Awaited | undefined {
    const awaited = this.input.awaited?.get(ledgerKeyText(entry));
    return awaited?.phase === phase ? awaited : undefined;
  }

  targetNamed(name: string): DeploymentTarget {
    const target = this.targets.get(name);
    if (target) return target;
    throw new DeploymentError(
      'InvalidDeployment',
      `Target ${JSON.stringify(name)} is assigned to but not listed.`,
    );
  }

  componentNamed(name: string): ComponentSpec {
    const component = this.components.get(name);
    if (component) return component;
    throw new DeploymentError(
      'InvalidDeployment',
      `Component ${JSON.stringify(name)} is assigned but not listed.`,
    );
  }

  /** Orders ledger entries as their components are ordered; those that are not declared any more come last, by name. */
  compareEntries = (a: LedgerEntry, b: LedgerEntry): number =>
    (this.order.get(a.component) ?? Infinity) - (this.order.get(b.component) ?? Infinity) ||
    compareTexts(a.component, b.component) ||
    compareTexts(a.targetName, b.targetName) ||
    compareTexts(a.targetUid, b.targetUid) ||
    compareTexts(a.bindingHash, b.bindingHash) ||
    compareTexts(a.role, b.role);
}

/** Identity of a component on a target, by the target's name or uid. */
export function pairKey(target: string, component: string): string {
  return keyOf(target, component);
}

function placeKey(targetUid: string, role: string, bindingHash: string): string {
  return keyOf(targetUid, role, bindingHash);
}

/** One text for several, unambiguous as each says how long it is; made far faster than JSON. */
export function keyOf(...parts: readonly string[]): string {
  return parts.map((part) => `${part.length}:${part}`).join('');
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
