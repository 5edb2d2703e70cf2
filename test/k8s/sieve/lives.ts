import type { LedgerObject } from '../../../src/modes/k8s/ledger/ledger-object.js';
import type { TestCluster } from '../../support/control-plane/index.js';
import { manifest, type SymphonyObject } from '../../support/kubernetes-flow.js';
import { numberIn, withoutNumber } from './calls.js';
import type { ScriptedTargets } from './scripted-targets.js';

/** What is the same at the end of a step in every life, however often operators were killed in it. */
export interface LifeState {
  /** By `instances/app`: what the engine made of it. */
  objects: Record<string, unknown>;
  /** By `app.near`: what it holds. */
  ledgers: Record<string, string[]>;
  /** By target: components and their properties. */
  there: Record<string, Record<string, unknown>>;
}

/** A part of the reference scenario. */
export interface LifeStep {
  take: (life: string) => Promise<void>;
  /** What is on the targets when it has come to its end. */
  there: LifeState['there'];
}

const SITES = ['near', 'far'];
const on = (site: string): string => `\${{$equal($property('site'),'${site}')}}`;
const component = (name: string, site: string, version: number, dependencies: string[] = []): object => {
  return { name, constraints: on(site), properties: { version }, dependencies };
};

/** One component goes, one moves, one changes. */
const FIRST = [component('a', 'near', 1), component('b', 'near', 1, ['a']), component('c', 'far', 1)];
const SECOND = [component('b', 'far', 1), component('c', 'far', 2)];

const GROUPS = { instances: 'solution.symphony', solutions: 'solution.symphony', targets: 'fabric.symphony' };
type Plural = keyof typeof GROUPS;

/** The objects of many lives in one namespace, each with targets of its own, and what has become of them. */
export class Lives {
  constructor(
    private readonly cluster: TestCluster,
    readonly namespace: string,
    private readonly targets: ScriptedTargets,
  ) {}

  /** The reference scenario. Each step begins when the one before has come to its end. */
  readonly steps: Readonly<Record<string, LifeStep>> = {
    targets: {
      take: async (life) => {
        for (const site of SITES) await this.target(life, site, { life, site });
      },
      there: { near: {}, far: {} },
    },
    deploy: {
      take: async (life) => {
        await this.putFirst(life);
        await this.put('instances', `app-${life}`, {
          solution: `app-${life}`,
          target: { selector: { life } },
        });
      },
      there: { near: { a: { version: 1 }, b: { version: 1 } }, far: { c: { version: 1 } } },
    },
    change: {
      take: (life) => this.put('solutions', `app-${life}`, { components: SECOND }),
      there: { near: {}, far: { b: { version: 1 }, c: { version: 2 } } },
    },
    delete: {
      take: (life) => this.remove('instances', `app-${life}`),
      there: { near: {}, far: {} },
    },
    leave: {
      take: async (life) => {
        await this.remove('solutions', `app-${life}`);
        for (const site of SITES) await this.remove('targets', `${site}-${life}`);
      },
      there: { near: {}, far: {} },
    },
  };

  step(name: string): LifeStep {
    const step = this.steps[name];
    if (!step) throw new Error(`there is no step ${name}`);
    return step;
  }

  putInstance(life: string): Promise<void> {
    const spec = { solution: `app-${life}`, target: { selector: { life } } };
    return this.put('instances', `app-${life}`, spec);
  }

  annotate(life: string, annotations: Record<string, string>): Promise<void> {
    return this.patch('instances', `app-${life}`, { metadata: { annotations } });
  }

  /** The solution as it was at first. */
  putFirst(life: string): Promise<void> {
    return this.put('solutions', `app-${life}`, { components: FIRST });
  }

  /** The same components in the same places, of which one has changed. */
  putLater(life: string, version = 3): Promise<void> {
    const components = [...FIRST.slice(0, 2), component('c', 'far', version)];
    return this.put('solutions', `app-${life}`, { components });
  }

  target(life: string, site: string, properties: Record<string, string>): Promise<void> {
    const { topologies } = this.targets;
    return this.put('targets', `${site}-${life}`, { topologies, properties });
  }

  async put(plural: Plural, name: string, spec: object, metadata: object = {}): Promise<void> {
    const query = '?fieldManager=somebody&force=true';
    const path = `${this.#path(plural)}/${name}${query}`;
    const type = 'application/apply-patch+yaml';
    await this.cluster.api.call('PATCH', path, manifest(plural, name, spec, metadata), type);
  }

  /** A merge patch. */
  private async patch(plural: Plural, name: string, body: object): Promise<void> {
    await this.cluster.api.call('PATCH', `${this.#path(plural)}/${name}`, body);
  }

  async remove(plural: Plural, name: string): Promise<void> {
    await this.cluster.api.call('DELETE', `${this.#path(plural)}/${name}`);
  }

  async list(plural: Plural): Promise<SymphonyObject[]> {
    return (await this.cluster.api.call<{ items: SymphonyObject[] }>('GET', this.#path(plural))).items;
  }

  async get(plural: Plural, name: string): Promise<SymphonyObject | undefined> {
    return (await this.list(plural)).find(({ metadata }) => metadata.name === name);
  }

  /** How each of these lives stands. */
  async states(lives: readonly string[]): Promise<Map<string, LifeState>> {
    const nothing = Object.fromEntries(SITES.map((site) => [site, {}]));
    const states = new Map(
      lives.map((life): [string, LifeState] => {
        return [life, { objects: {}, ledgers: {}, there: { ...nothing, ...this.targets.of(life) } }];
      }),
    );
    for (const plural of ['instances', 'solutions', 'targets'] as const) {
      for (const object of await this.list(plural)) {
        const state = states.get(numberIn(object.metadata.name));
        if (state) state.objects[`${plural}/${withoutNumber(object.metadata.name)}`] = essenceOf(object);
      }
    }
    const path = `/apis/engine.symphony/v1/namespaces/${this.namespace}/ledgers`;
    for (const { spec } of (await this.cluster.api.call<{ items: LedgerObject[] }>('GET', path)).items) {
      const state = states.get(numberIn(spec.owner.name));
      const entries = (spec.entries ?? []).map((entry) => {
        return `${entry.component} ${entry.state} ${JSON.stringify(entry.applied.properties)}`;
      });
      // One without entries holds nothing back; it is used again, or goes with its owner.
      if (state && (entries.length > 0 || Object.keys(state.objects).length === 0)) {
        state.ledgers[`${withoutNumber(spec.owner.name)}.${withoutNumber(spec.targetName)}`] =
          entries.toSorted();
      }
    }
    return states;
  }

  #path(plural: Plural): string {
    return `/apis/${GROUPS[plural]}/v1/namespaces/${this.namespace}/${plural}`;
  }
}

/** Nothing that differs from one life to the next, no times, and no counts of what the last run did. */
function essenceOf({ metadata, status = {} }: SymphonyObject): object {
  const { observedGeneration, conditions = [], provisioningStatus } = status;
  return {
    finalizers: metadata.finalizers ?? [],
    deleting: metadata.deletionTimestamp !== undefined,
    status: status.status,
    provisioningStatus: provisioningStatus?.status,
    current: observedGeneration === metadata.generation,
    conditions: conditions.map(({ type, status: is, reason }) => `${type}=${is} ${reason}`).toSorted(),
  };
}
