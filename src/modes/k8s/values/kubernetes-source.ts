import { AccessError, messageOf, NotFoundError } from '@symphony/model';
import type { LookupAnswer, LookupNeed } from '@symphony/expressions';
import type { ValueSource } from '../../../modules/solution/index.js';
import {
  orAborted,
  type ApiClient,
  type KubeObject,
  type ObjectRef,
  type ResourceType,
} from '../client/index.js';
import { SECRETS } from '../secrets.js';

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
  binaryData?: Record<string, string>;
}

const CONFIG_MAPS: ResourceType<ConfigMap> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};

/** What the API server takes as a name (RFC 1123); nothing else can be one, so it is not asked for. */
const NAME = /^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/;
const UTF8 = new TextDecoder('utf-8', { fatal: true });

/**
 * Secrets and ConfigMaps of the deployment's own namespace: `$secret(database, password)` reads the entry `password` of the
 * Secret `database`, `$config(settings, level)` the entry `level` of the ConfigMap `settings`. Read live, at each run that
 * needs them, as far as the engine was given the right to read them by name.
 */
export class KubernetesSource implements ValueSource {
  readonly name = 'k8s';

  constructor(
    private readonly client: Pick<ApiClient, 'get'>,
    /** Secrets of the engine itself: whoever writes solutions must not see them. */
    private readonly own: readonly Required<ObjectRef>[],
  ) {}

  async lookup(
    { kind, object, field }: LookupNeed,
    namespace: string,
    signal: AbortSignal,
  ): Promise<LookupAnswer> {
    if (!NAME.test(object)) return notFound('the name is not one that an object of Kubernetes could have');
    const ref = { namespace, name: object };
    try {
      return kind === 'secret'
        ? await this.#secret(ref, field, signal)
        : inConfigMap(await this.#read(CONFIG_MAPS, ref, signal), field);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof NotFoundError) return notFound(`there is no ${nameOf(kind)} of that name`);
      if (!(error instanceof AccessError)) return failed(messageOf(error));
      return failed(
        `the engine may not read the ${nameOf(kind)} ${namespace}/${object}: give it the right to`,
      );
    }
  }

  async #secret(ref: Required<ObjectRef>, field: string, signal: AbortSignal): Promise<LookupAnswer> {
    if (field === '') return notFound('a secret is read by field');
    if (this.own.some(({ namespace, name }) => namespace === ref.namespace && name === ref.name)) {
      return notFound('that Secret is the engine’s own, and no solution may read it');
    }
    const { data = {} } = await this.#read(SECRETS, ref, signal);
    const entry = Object.hasOwn(data, field) ? data[field] : undefined;
    if (entry === undefined) return notFound('the Secret has no such entry');
    try {
      return { value: UTF8.decode(Buffer.from(entry, 'base64')), sensitive: true };
    } catch {
      return failed('that entry of the Secret is not text');
    }
  }

  #read<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef, signal: AbortSignal): Promise<T> {
    return orAborted(this.client.get(type, ref), signal);
  }
}

function inConfigMap({ data = {}, binaryData = {} }: ConfigMap, field: string): LookupAnswer {
  if (field === '') return { value: data };
  if (Object.hasOwn(data, field)) return { value: data[field] };
  return Object.hasOwn(binaryData, field)
    ? failed('that entry of the ConfigMap is not text')
    : notFound('the ConfigMap has no such entry');
}

function nameOf(kind: LookupNeed['kind']): string {
  return kind === 'secret' ? 'Secret' : 'ConfigMap';
}

function notFound(message: string): LookupAnswer {
  return { failure: 'NotFound', message };
}

function failed(message: string): LookupAnswer {
  return { failure: 'Failed', message };
}
