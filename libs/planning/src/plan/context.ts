import {
  ledgerKeyText,
  reason,
  type Assignment,
  type ComponentSpec,
  type DeploymentTarget,
  type LedgerEntry,
  type Reason,
  type ResolvedComponent,
} from '@symphony/model';
import { DeploymentError } from '../errors.js';
import type { Awaited, PlanInput } from './input.js';
import { PairLists, PairMap } from './pair-map.js';

/** What was seen for one (target, role, binding). */
export type Seen =
  { readable: true; components: ReadonlyMap<string, ComponentSpec> } | { readable: false; reason: Reason };

/** The input of a plan, indexed. */
export class PlanContext {
  /** The ledger entries that this plan may concern. */
  readonly ledger: readonly LedgerEntry[];
  readonly components: ReadonlyMap<string, ComponentSpec>;
  readonly targets: ReadonlyMap<string, DeploymentTarget>;
  /** By uid of the target, role and binding. */
  private readonly seen = new Map<string, PairMap<Seen>>();
  private readonly resolved = new PairMap<ResolvedComponent>();
  private readonly unresolved = new PairMap<Reason>();
  /** By uid of the target and component. */
  private readonly entries = new PairLists<LedgerEntry>();
  private readonly order: ReadonlyMap<string, number>;

  constructor(readonly input: PlanInput) {
    const { deployment, ledger } = input;
    const { onlyTarget } = deployment;
    this.ledger =
      onlyTarget === undefined ? ledger : ledger.filter((entry) => entry.targetName === onlyTarget);
    this.components = new Map(deployment.components.map((component) => [component.name, component]));
    this.order = new Map(deployment.components.map((component, index) => [component.name, index]));
    this.targets = new Map(deployment.targets.map((target) => [target.name, target]));
    for (const item of input.resolved) this.resolved.set(item.target, item.component.name, item);
    for (const item of input.unresolved ?? []) this.unresolved.set(item.target, item.component, item.reason);
    for (const entry of this.ledger) this.entries.add(entry.targetUid, entry.component, entry);
    for (const observation of input.observations) {
      const { targetUid, role, bindingHash } = observation;
      // Two reports on one place: the one that says "could not read" counts, as it leads to no change.
      if (this.observationAt(targetUid, role, bindingHash)?.readable === false) continue;
      const places = this.seen.get(targetUid) ?? new PairMap<Seen>();
      this.seen.set(targetUid, places);
      places.set(
        role,
        bindingHash,
        observation.readable
          ? { readable: true, components: new Map(observation.components.map((item) => [item.name, item])) }
          : { readable: false, reason: observation.reason },
      );
    }
  }

  /** A place that nobody looked at is as unknown as one that could not be read. */
  observationOf(targetUid: string, role: string, bindingHash: string): Seen {
    return this.observationAt(targetUid, role, bindingHash) ?? { readable: false, reason: reason('Unknown') };
  }

  resolvedOf(target: string, component: string): ResolvedComponent | Reason {
    return (
      this.resolved.get(target, component) ??
      this.unresolved.get(target, component) ??
      reason('ExpressionFailed')
    );
  }

  /** The ledger entry that applying this assignment leads to, where there is one. */
  entryAt({ component, role, binding, bindingHash }: Assignment, targetUid: string): LedgerEntry | undefined {
    return this.entries
      .of(targetUid, component)
      .find(
        (entry) =>
          entry.role === role && entry.provider === binding.provider && entry.bindingHash === bindingHash,
      );
  }

  /** Whether the ledger has the component on this target, by whatever provider. */
  holds(targetUid: string, component: string): boolean {
    return this.entries.of(targetUid, component).length > 0;
  }

  unavailable(targetUid: string): Reason | undefined {
    return this.input.unavailable?.get(targetUid);
  }

  awaitedAt(entry: LedgerEntry, phase: Awaited['phase']): Awaited | undefined {
    const { awaited: all } = this.input;
    const awaited = all && all.size > 0 ? all.get(ledgerKeyText(entry)) : undefined;
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

  private observationAt(targetUid: string, role: string, bindingHash: string): Seen | undefined {
    return this.seen.get(targetUid)?.get(role, bindingHash);
  }

  /** Ledger entries in the order of their components; those that are not declared any more come last, by name. */
  sorted(entries: readonly LedgerEntry[]): LedgerEntry[] {
    return entries
      .map((entry) => ({ entry, at: this.order.get(entry.component) ?? Infinity }))
      .sort((a, b) => (a.at === b.at ? compareEntries(a.entry, b.entry) : a.at - b.at))
      .map(({ entry }) => entry);
  }
}

function compareEntries(a: LedgerEntry, b: LedgerEntry): number {
  return (
    compareTexts(a.component, b.component) ||
    compareTexts(a.targetName, b.targetName) ||
    compareTexts(a.targetUid, b.targetUid) ||
    compareTexts(a.bindingHash, b.bindingHash) ||
    compareTexts(a.role, b.role)
  );
}

function compareTexts(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
