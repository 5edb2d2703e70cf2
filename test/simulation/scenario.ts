import {
  SymphonyError,
  type ComponentSpec,
  type InstanceSpec,
  type SpecByKind,
  type TargetSpec,
} from '@symphony/model';
import type { WriteEffects } from '../../src/modules/state/index.js';
import { PROVIDER_TYPE } from './provider.js';
import type { Random } from './random.js';
import type { Tables } from './tables.js';

const NAMESPACE = 'default';
const ZONES = ['north', 'south'];
const ROLES = ['instance', 'script'];

/** What users do: writes of chance on a few objects, and at last a state that is known to be good. */
export class Users {
  readonly targets: readonly string[];
  readonly solutions = ['app', 'web'];
  readonly instances: readonly string[];
  #rev = 0;

  constructor(
    private readonly tables: Tables,
    private readonly random: Random,
    private readonly trace: (text: string) => void,
  ) {
    this.targets = names('t', random.integer(1, 3));
    this.instances = names('i', random.integer(1, 3));
  }

  /** @returns what was ordered, to wake workers with */
  begin(): WriteEffects[] {
    return [
      ...this.targets.map((name) => this.#target(name)),
      ...this.solutions.map((name) => this.#solution(name)),
      ...this.instances.map((name) => this.#instance(name)),
    ];
  }

  /** One write of chance; a user who is refused lets it be. */
  act(): WriteEffects[] {
    const { random } = this;
    const what = random.next();
    if (what < 0.3) return [this.#solution(random.pick(this.solutions))];
    if (what < 0.6) return [this.#instance(random.pick(this.instances))];
    if (what < 0.75) return [this.#target(random.pick(this.targets))];
    if (what < 0.87) return [this.#remove('Instance', random.pick(this.instances))];
    if (what < 0.93) return [this.#remove('Target', random.pick(this.targets))];
    if (what < 0.96) return [this.#remove('Solution', random.pick(this.solutions))];
    return [this.#inactive(random.pick(this.instances))];
  }

  /** Leaves only what can be deployed: every instance has its solution and a target that is not going away. */
  settle(): WriteEffects[] {
    const { random } = this;
    const staying = this.tables.list('Target').filter((target) => !target.deletionTimestamp);
    const effects = this.solutions.map((name) => this.#solution(name, 1));
    for (const target of staying) effects.push(this.#target(target.name, 1));
    for (const instance of this.tables.list('Instance')) {
      if (instance.deletionTimestamp) continue;
      const target = staying.length > 0 ? random.pick(staying).name : undefined;
      const leave = target === undefined || random.chance(0.25);
      effects.push(leave ? this.#remove('Instance', instance.name) : this.#instance(instance.name, target));
    }
    return effects;
  }

  #target(name: string, components = 0.4): WriteEffects {
    const { random } = this;
    const spec: TargetSpec = {
      properties: { zone: random.pick(ZONES) },
      topologies: [
        {
          bindings: ROLES.map((role) => ({
            role,
            provider: PROVIDER_TYPE,
            config: { place: `${role}-${random.pick(['a', 'a', 'b'])}` },
          })),
        },
      ],
    };
    if (random.chance(components)) spec.components = [this.#component('agent')];
    return this.#put('Target', name, spec);
  }

  #solution(name: string, least = 0): WriteEffects {
    const { random } = this;
    const components = names('c', random.integer(least, 3)).map((component) => this.#component(component));
    const [first, second] = components;
    if (first && second && random.chance(0.4)) second.dependencies = [first.name];
    return this.#put('Solution', name, { components });
  }

  #instance(name: string, target?: string): WriteEffects {
    const { random } = this;
    const named = target ?? (random.chance(0.5) ? random.pick(this.targets) : undefined);
    const spec: InstanceSpec = {
      solution: random.pick(this.solutions),
      target: named === undefined ? { selector: { zone: random.pick(ZONES) } } : { name: named },
    };
    if (target !== undefined && random.chance(0.4))
      spec.target = { name: target, selector: { zone: 'north' } };
    return this.#put('Instance', name, spec);
  }

  #inactive(name: string): WriteEffects {
    const object = this.tables.object({ kind: 'Instance', namespace: NAMESPACE, name });
    return object
      ? this.#put('Instance', name, Object.assign({}, object.spec, { activeState: 'inactive' }))
      : nothing();
  }

  #component(name: string): ComponentSpec {
    const rev = String(++this.#rev);
    return { name, type: this.random.pick(ROLES), properties: { rev } };
  }

  #put<K extends 'Target' | 'Solution' | 'Instance'>(
    kind: K,
    name: string,
    spec: SpecByKind[K],
  ): WriteEffects {
    return this.#attempt(`writes ${kind} ${name} ${JSON.stringify(spec)}`, () =>
      this.tables.put({
        kind,
        namespace: NAMESPACE,
        name,
        spec,
        labels: {},
        annotations: {},
        precondition: {},
      }),
    );
  }

  #remove(kind: 'Target' | 'Solution' | 'Instance', name: string): WriteEffects {
    return this.#attempt(`deletes ${kind} ${name}`, () =>
      this.tables.requestDeletion({ kind, namespace: NAMESPACE, name }),
    );
  }

  #attempt(what: string, write: () => WriteEffects): WriteEffects {
    try {
      const effects = write();
      this.trace(`user ${what}`);
      return effects;
    } catch (error) {
      if (error instanceof SymphonyError) return nothing();
      throw error;
    }
  }
}

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index + 1}`);
}

function nothing(): WriteEffects {
  return { orders: [], fanOuts: [] };
}
