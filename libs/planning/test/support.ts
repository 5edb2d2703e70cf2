import {
  ledgerKeyText,
  reason,
  type BindingSpec,
  type ComponentSpec,
  type Deployment,
  type InstanceSpec,
  type LedgerEntry,
  type Observation,
  type Plan,
  type ResolvedComponent,
  type Step,
  type StoredObject,
  type TargetSpec,
} from '@symphony/model';
import { diffFields, generateForInstance, plan, type PlanInput } from '../src/index.js';

const AT = '2026-01-01T00:00:00Z';

export function stored<K extends 'Target' | 'Solution' | 'Instance'>(
  kind: K,
  name: string,
  spec: StoredObject<K>['spec'],
  more: Partial<StoredObject<K>> = {},
): StoredObject<K> {
  return {
    kind,
    namespace: 'default',
    name,
    uid: `uid-${name}`,
    generation: 1,
    version: '1',
    labels: {},
    annotations: {},
    spec,
    status: {},
    createdAt: AT,
    ...more,
  };
}

/** A copy with some fields changed. */
export function changed<T extends object>(value: T, change: Partial<T>): T {
  return Object.assign({}, value, change);
}

export const ROLES = ['instance', 'helm', 'docker', 'kubectl', 'x'];

export function binding(role: string, config: Record<string, string> = {}): BindingSpec {
  return { role, provider: `providers.target.${role}`, config };
}

/** A target that offers every role of the tests. */
export function target(
  name: string,
  spec: TargetSpec = {},
  more: Partial<StoredObject<'Target'>> = {},
): StoredObject<'Target'> {
  return stored(
    'Target',
    name,
    changed<TargetSpec>({ topologies: [{ bindings: ROLES.map((role) => binding(role)) }] }, spec),
    more,
  );
}

export function component(
  name: string,
  type = '',
  dependencies: string[] = [],
  more: Partial<ComponentSpec> = {},
) {
  return { name, type, dependencies, ...more } satisfies ComponentSpec;
}

/** Constrains a component to targets, by a property `on-<component>` that `on()` sets. */
export function only(name: string, type = '', dependencies: string[] = []): ComponentSpec {
  return component(name, type, dependencies, { constraints: `\${{$property('on-${name}')}}` });
}

export function on(...components: string[]): Record<string, string> {
  return Object.fromEntries(components.map((name) => [`on-${name}`, 'true']));
}

/** An instance of the components on all given targets. */
export function deploymentOf(
  components: ComponentSpec[],
  targets: StoredObject<'Target'>[],
  spec: Partial<InstanceSpec> = {},
  more: Partial<StoredObject<'Instance'>> = {},
): Deployment {
  return generateForInstance({
    instance: stored('Instance', 'i', { solution: 's', target: { name: '*' }, ...spec }, more),
    solution: stored('Solution', 's', { components }),
    targets,
    jobId: '1',
  });
}

export interface World {
  ledger: LedgerEntry[];
  /** What exists, by place and component. */
  real: Map<string, ComponentSpec>;
}

export function emptyWorld(): World {
  return { ledger: [], real: new Map() };
}

function realKey(targetUid: string, role: string, bindingHash: string, name: string): string {
  return JSON.stringify([targetUid, role, bindingHash, name]);
}

/** The digest that the tests use: the declaration itself. */
function digestOf(item: ComponentSpec): string {
  return JSON.stringify(item);
}

export function planInput(deployment: Deployment, world: World, more: Partial<PlanInput> = {}): PlanInput {
  const resolved: ResolvedComponent[] = [];
  const observations = new Map<string, Observation>();
  for (const item of deployment.assignments) {
    const targetUid = deployment.targets.find((each) => each.name === item.target)?.uid ?? '';
    const declared = deployment.components.find((each) => each.name === item.component);
    if (declared) {
      resolved.push({ target: item.target, component: declared, digest: digestOf(declared), sensitive: [] });
    }
    const { role, bindingHash } = item;
    const components = [...world.real]
      .filter(([key]) => key.startsWith(JSON.stringify([targetUid, role, bindingHash]).slice(0, -1)))
      .map(([, value]) => value);
    observations.set(JSON.stringify([targetUid, role, bindingHash]), {
      targetUid,
      role,
      bindingHash,
      readable: true,
      components,
    });
  }
  return {
    deployment,
    ledger: world.ledger,
    observations: [...observations.values()],
    resolved,
    deletingTargets: new Set(),
    forceRedeploy: new Set(),
    differs: (_assignment, desired, observed) => diffFields(observed.properties, desired.properties),
    ...more,
  };
}

/** The input with nothing readable on a target. */
export function unreadable(input: PlanInput, targetUid: string): PlanInput {
  return {
    ...input,
    observations: input.observations.map((item) =>
      item.targetUid === targetUid
        ? {
            targetUid,
            role: item.role,
            bindingHash: item.bindingHash,
            readable: false,
            reason: reason('ObservationFailed'),
          }
        : item,
    ),
  };
}

/** Carries out a plan as a faultless executor would, checking that nothing runs before what it waits for. */
export function carryOut(input: PlanInput, made: Plan, world: World): World {
  const { deployment } = input;
  const ledger = new Map(world.ledger.map((entry) => [ledgerKeyText(entry), entry]));
  const real = new Map(world.real);
  const ended = new Set<string>();
  const endedSteps = new Set<string>();
  for (const step of made.steps) {
    for (const id of step.after)
      if (!endedSteps.has(id)) throw new Error(`step ${step.id} runs before ${id}`);
    for (const action of step.actions) {
      for (const id of [...action.requires, ...action.follows]) {
        if (!ended.has(id)) throw new Error(`${action.id} runs before ${id}`);
      }
      const { targetUid, component: name, role } = action;
      const { bindingHash, binding: bound, scope } = step;
      const key = { targetUid, component: name, role, provider: bound.provider, bindingHash };
      const place = realKey(targetUid, role, bindingHash, name);
      if (action.kind === 'delete') {
        ledger.delete(ledgerKeyText(key));
        real.delete(place);
      } else {
        const declared = deployment.components.find((each) => each.name === name);
        if (!declared) throw new Error(`${name} is not declared`);
        ledger.set(ledgerKeyText(key), {
          ...key,
          owner: deployment.owner,
          targetName: action.target,
          scope,
          binding: bound,
          applied: declared,
          digest: digestOf(declared),
          state: 'applied',
          generation: deployment.generation,
          updatedAt: AT,
        });
        real.set(place, declared);
      }
      ended.add(action.id);
    }
    endedSteps.add(step.id);
  }
  return { ledger: [...ledger.values()], real };
}

/** The world after a deployment was carried out from `before`. */
export function deployed(deployment: Deployment, before: World = emptyWorld()): World {
  const input = planInput(deployment, before);
  return carryOut(input, plan(input), before);
}

/** `T1 helm[a,b]` or `T1 helm-[a]` for a removal, in order. */
export function shown(steps: readonly Step[]): string[] {
  return steps.map(
    (step) =>
      `${step.target} ${step.role}${step.phase === 'remove' ? '-' : ''}[${step.actions.map((action) => action.component).join(',')}]`,
  );
}

/** `delete web@T1 Removed`, for all actions and everything kept. */
export function told(made: Plan): string[] {
  const actions = [...made.steps.flatMap((step) => step.actions), ...made.kept];
  return actions.map((action) => `${action.kind} ${action.component}@${action.target} ${action.reason.code}`);
}
