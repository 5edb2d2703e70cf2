import { messageOf } from '@symphony/model';
import { listAll, type ApiClient, type KubeObject, type ResourceType } from '../client/index.js';
import { NAMESPACE_TYPE, isTerminating } from '../objects/namespace-type.js';
import { unlessMissing } from '../objects/readable.js';
import { Reflector, type Change, type FeedLog, type ReflectorTiming } from '../reflector/index.js';
import { letRightsGo } from './let-rights-go.js';
import { RIGHTS_FINALIZER, ROLE_BINDING_TYPE, ROLE_TYPE } from './role-types.js';

/** Something is there as long as an object of this type has the finalizer. */
interface Holding {
  type: ResourceType;
  finalizer: string;
  seen: {
    list(namespace: string): KubeObject[];
    onChange(listener: (change: Change<KubeObject>) => void): () => void;
  };
}

export interface HeldRightsOptions {
  client: ApiClient;
  namespaces: readonly string[];
  /** See {@link letRightsGo}. */
  names: readonly string[];
  holdings: readonly Holding[];
  leads: () => boolean;
  timing: Partial<ReflectorTiming>;
  log: FeedLog & { info(fields: object): void };
}

/** Many objects go at the same moment. */
const SOON_MS = 200;
const RETRY_MS = 5_000;

/**
 * Roles of a namespace are deleted with it, before what is deployed from there can be removed. A finalizer keeps them, and with
 * them the engine's rights, until nothing of ours is left; then the leader lets them go. When they are deleted and their
 * namespace is not, somebody takes the rights away on purpose: these are let go at once.
 */
export class HeldRights {
  /** By name: the RoleBinding of each namespace. */
  readonly #bindings: ReadonlyMap<string, Reflector<KubeObject>>;
  readonly #timers = new Map<string, NodeJS.Timeout>();
  /** Namespaces that are looked at, and whether once more afterwards. */
  readonly #looking = new Map<string, boolean>();
  #unsubscribe: (() => void)[] = [];

  constructor(private readonly options: HeldRightsOptions) {
    const { client, namespaces, names, timing, log } = options;
    this.#bindings = new Map(
      names.map((name) => {
        const fieldSelector = `metadata.name=${name}`;
        return [
          name,
          new Reflector({ client, type: ROLE_BINDING_TYPE, namespaces, fieldSelector, timing, log }),
        ];
      }),
    );
  }

  start(): void {
    const { holdings } = this.options;
    this.#unsubscribe = [
      ...[...this.#bindings.values()].map((bindings) =>
        bindings.onChange(({ after }) => after && this.#soon(after.metadata.namespace)),
      ),
      ...holdings.map(({ seen }) =>
        seen.onChange(({ before, after }) => this.#soon((after ?? before)?.metadata.namespace)),
      ),
    ];
    for (const bindings of this.#bindings.values()) bindings.start();
  }

  /** At the beginning of a term: what the leader before this one did not come to. */
  begin(): void {
    for (const namespace of this.options.namespaces) this.#soon(namespace);
  }

  async stop(): Promise<void> {
    for (const end of this.#unsubscribe) end();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    await Promise.all([...this.#bindings.values()].map((bindings) => bindings.stop()));
  }

  #soon(namespace: string | undefined, ms = SOON_MS): void {
    if (namespace === undefined || this.#timers.has(namespace) || this.#going(namespace).length === 0) return;
    const timer = setTimeout(() => {
      this.#timers.delete(namespace);
      void this.#look(namespace);
    }, ms);
    this.#timers.set(namespace, timer);
  }

  async #look(namespace: string): Promise<void> {
    if (this.#looking.has(namespace)) {
      this.#looking.set(namespace, true);
      return;
    }
    this.#looking.set(namespace, false);
    try {
      const going = this.#going(namespace);
      if (this.options.leads() && going.length > 0) await this.#letGo(namespace, going);
    } catch (error) {
      const { log } = this.options;
      log.warn({
        msg: 'The rights in a namespace could not be let go yet',
        namespace,
        error: messageOf(error),
      });
      this.#soon(namespace, RETRY_MS);
    } finally {
      const again = this.#looking.get(namespace);
      this.#looking.delete(namespace);
      if (again) this.#soon(namespace);
    }
  }

  async #letGo(namespace: string, going: readonly string[]): Promise<void> {
    const { client, names, log } = this.options;
    const object = await unlessMissing(client.get(NAMESPACE_TYPE, { name: namespace }));
    const withNamespace = object !== undefined && isTerminating(object);
    if (withNamespace && !(await this.#hasBegun(namespace)) && (await this.#holdsSomething(namespace)))
      return;
    // Without the last one no other could be let go later.
    const all = withNamespace || going.includes(names.at(-1) ?? '');
    const count = await letRightsGo({ client, namespace, names: all ? names : going });
    const why = withNamespace
      ? 'nothing of ours is left in the namespace, which is being deleted'
      : 'they are being deleted, and the namespace is not';
    log.info({ msg: `The rights in a namespace are let go: ${why}`, namespace, count });
  }

  /** Whether the first was let go already, perhaps by the leader before: then it was looked, and cannot be any more. */
  async #hasBegun(namespace: string): Promise<boolean> {
    const { client, names } = this.options;
    const first = await unlessMissing(client.get(ROLE_TYPE, { namespace, name: names[0] ?? '' }));
    return !first?.metadata.finalizers?.includes(RIGHTS_FINALIZER);
  }

  /** Read live, once no picture shows anything any more: what is there and was not seen must be removed first. */
  async #holdsSomething(namespace: string): Promise<boolean> {
    const { client, holdings } = this.options;
    if (holdings.some((holding) => isHeld(holding, holding.seen.list(namespace)))) return true;
    const lists = holdings.map(async (holding) =>
      isHeld(holding, (await listAll(client, holding.type, { namespace })).items),
    );
    return (await Promise.all(lists)).includes(true);
  }

  /** Names of what is being deleted. */
  #going(namespace: string): string[] {
    return [...this.#bindings].flatMap(([name, bindings]) =>
      bindings.list(namespace).some(({ metadata }) => metadata.deletionTimestamp !== undefined) ? name : [],
    );
  }
}

function isHeld({ finalizer }: Holding, objects: readonly KubeObject[]): boolean {
  return objects.some(({ metadata }) => metadata.finalizers?.includes(finalizer));
}
