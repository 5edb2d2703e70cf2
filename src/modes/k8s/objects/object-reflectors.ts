import type { ObjectKind } from '@symphony/model';
import { referencesOf } from '../../../modules/state/index.js';
import type { ApiClient, ObjectRef } from '../client/index.js';
import { Reflector, type FeedLog, type ReflectorTiming } from '../reflector/index.js';
import { typeOf, type CustomObject } from './custom-object.js';
import type { ObjectCache } from './kubernetes-object-store.js';

/** Instances by what they refer to; see `indexKey`. */
export type InstanceIndex = 'solution' | 'target';

export interface ObjectReflectorsOptions {
  client: ApiClient;
  /** Undefined: all. */
  namespaces: readonly string[] | undefined;
  timing?: Partial<ReflectorTiming>;
  log: FeedLog;
}

const KINDS = ['Target', 'Solution', 'Instance', 'SolutionContainer'] as const;

/** A picture of every object of Symphony's kinds, kept up by watching. */
export class ObjectReflectors implements ObjectCache {
  readonly targets: Reflector<CustomObject<'Target'>>;
  readonly solutions: Reflector<CustomObject<'Solution'>>;
  readonly instances: Reflector<CustomObject<'Instance'>, InstanceIndex>;
  readonly containers: Reflector<CustomObject<'SolutionContainer'>>;

  constructor({ client, namespaces, timing = {}, log }: ObjectReflectorsOptions) {
    const shared = { client, namespaces, timing, log };
    this.targets = new Reflector({ ...shared, type: typeOf('Target') });
    this.solutions = new Reflector({ ...shared, type: typeOf('Solution') });
    this.containers = new Reflector({ ...shared, type: typeOf('SolutionContainer') });
    this.instances = new Reflector({
      ...shared,
      type: typeOf('Instance'),
      indexes: {
        solution: (instance) => indexed(instance, 'solution'),
        target: (instance) => indexed(instance, 'target'),
      },
    });
  }

  start(): void {
    for (const kind of KINDS) this.of(kind).start();
  }

  async stop(): Promise<void> {
    await Promise.all(KINDS.map((kind) => this.of(kind).stop()));
  }

  async whenSynced(signal?: AbortSignal): Promise<void> {
    await Promise.all(KINDS.map((kind) => this.of(kind).whenSynced({ signal })));
  }

  all<K extends ObjectKind>(kind: K, namespace?: string): CustomObject<K>[] {
    return this.of(kind).list(namespace);
  }

  listed<K extends ObjectKind>(kind: K, namespace?: string): CustomObject<K>[] {
    return this.of(kind).listed(namespace);
  }

  get<K extends ObjectKind>(kind: K, ref: ObjectRef): CustomObject<K> | undefined {
    return this.of(kind).get(ref);
  }

  of<K extends ObjectKind>(kind: K): Reflector<CustomObject<K>, InstanceIndex>;
  of(kind: ObjectKind): unknown {
    const reflectors = {
      Target: this.targets,
      Solution: this.solutions,
      Instance: this.instances,
      SolutionContainer: this.containers,
    };
    return reflectors[kind];
  }
}

/** @param name as `referencesOf` writes it; `*` for instances that select their targets by pattern or property */
export function indexKey(namespace: string | undefined, name: string): string {
  return `${namespace ?? ''}/${name}`;
}

function indexed(instance: CustomObject<'Instance'>, index: InstanceIndex): string[] {
  const { solution, target, dynamic } = referencesOf('Instance', instance.spec ?? {});
  const names = index === 'solution' ? [solution] : [target, dynamic ? '*' : null];
  return names.filter((name) => name !== null).map((name) => indexKey(instance.metadata.namespace, name));
}
