import { SymphonyError } from '@symphony/model';
import type { ClusterAccess } from './cluster-access.js';
import type { Channel } from './connections.js';
import { deadlineAfter } from './deadline.js';
import { ApiUnavailableError } from './api-errors.js';
import {
  apiVersionOf,
  type KubeList,
  type KubeObject,
  type ObjectRef,
  type ResourceType,
  type WatchEvent,
} from './kube-object.js';
import { collectionPath, objectPath, queryOf } from './resource-path.js';
import { withRetries } from './retries.js';
import { tooSlow, Transport, whatOf, type Outgoing, type RequestRecord } from './transport.js';
import { eventOf, linesOf } from './watch-stream.js';

export interface ApiClientOptions {
  access: ClusterAccess;
  /** The most sockets beside those of watches and leases. Default 32. */
  sockets?: number;
  /** Default `symphony-engine`. */
  userAgent?: string;
  /** Told of every attempt of every request. */
  onRequest?: ((record: RequestRecord) => void) | undefined;
}

/** How long and how often one call is tried. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** For the whole call with its retries, in milliseconds. Default 30 000. */
  deadlineMs?: number;
  /** For each attempt. Default 15 000. */
  attemptMs?: number;
  /** The most attempts. Default 4. */
  attempts?: number;
  /** That doing it twice equals doing it once. Default: true for reads and server-side apply, false for all else. */
  repeatable?: boolean;
  /** Default `shared`. */
  channel?: Channel;
}

export interface Selection {
  /** Default: all namespaces. */
  namespace?: string | undefined;
  labelSelector?: string | undefined;
  fieldSelector?: string | undefined;
}

export interface ListOptions extends Selection, CallOptions {
  /** The most objects of one page; without it all come at once. */
  limit?: number | undefined;
  /** Of the page before. */
  continue?: string | undefined;
}

export interface WriteOptions extends CallOptions {
  subresource?: string;
  fieldManager?: string;
  /** Validated and admitted, but not stored. */
  dryRun?: boolean;
}

export interface DeleteOptions extends CallOptions {
  /** Conflict unless this is the object's uid. */
  uid?: string;
  /** Conflict unless this is the object's version. */
  resourceVersion?: string;
  propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  gracePeriodSeconds?: number;
  /** Judged and admitted, but not carried out. */
  dryRun?: boolean;
}

export type Patch =
  /** RFC 7386: null removes. With `metadata.resourceVersion` in it, it conflicts with every other write. */
  | { kind: 'merge'; body: object }
  /** Server-side apply: the fields of `body` are owned by the `fieldManager` from now on. */
  | { kind: 'apply'; body: object; fieldManager: string; force?: boolean }
  /** RFC 6902. */
  | { kind: 'json'; operations: readonly { op: string; path: string; value?: unknown }[] };

export interface WatchOptions extends Selection {
  /** Ends the watch with the signal's reason. */
  signal: AbortSignal;
  /** The state to go on from, for example that of a list. */
  resourceVersion: string;
  /** After which the server ends the watch. */
  timeoutSeconds: number;
  /** Without a byte for so long the connection counts as dead: ApiUnavailableError. Bookmarks come about every minute. */
  idleMs: number;
  /** Called when the server has accepted the watch. */
  onOpen?: () => void;
}

const DEADLINE_MS = 30_000;
const ATTEMPT_MS = 15_000;
const ATTEMPTS = 4;

const CONTENT_TYPES: Record<Patch['kind'], string> = {
  merge: 'application/merge-patch+json',
  // JSON is YAML.
  apply: 'application/apply-patch+yaml',
  json: 'application/json-patch+json',
};

/**
 * The API server's verbs, typed by resource.
 *
 * - Every call ends: by its deadline, by its signal (whose reason is thrown), or when the client is closed.
 * - Every refusal is an error of the model with a stable code: `NotFound`, `Conflict`, `AlreadyExists`, `InvalidInput` with
 *   the fields, `Forbidden`, `QuotaExceeded`, `NamespaceTerminating`, `Expired`; what may pass is an
 *   {@link ApiUnavailableError}, which says whether a write may have happened. "Not found" means that this object is not
 *   there: a resource type that is not served is never mistaken for it.
 * - What failed for want of the server is tried again, with jittered delays and not before the server's `Retry-After`: always
 *   when nothing can have been done; after an unknown outcome only when repeating is harmless.
 * - Sockets are pooled and bounded; a watch has a socket of its own.
 *
 * Answers are as the server sent them; items of lists get the `apiVersion` and `kind` that the server leaves out.
 */
export class ApiClient {
  readonly #transport: Transport;
  /** The namespace that the engine lives in, as far as its access tells. */
  readonly namespace: string | undefined;

  constructor({ access, sockets = 32, userAgent = 'symphony-engine', onRequest }: ApiClientOptions) {
    this.#transport = new Transport({ access, sockets, userAgent, onRequest });
    this.namespace = access.namespace;
  }

  /** Reads the object itself, never a cache. @throws NotFoundError */
  get<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef, call: CallOptions = {}): Promise<T> {
    return this.#json(
      { method: 'GET', path: objectPath(type, ref), ...about('get', type, ref, call) },
      call,
      true,
    );
  }

  /** One page, as of now: never older than what any other answer has shown. @throws ExpiredError for an old page token */
  async list<T extends KubeObject>(type: ResourceType<T>, options: ListOptions = {}): Promise<KubeList<T>> {
    const { namespace, labelSelector, fieldSelector, limit, continue: token } = options;
    const query = queryOf({ labelSelector, fieldSelector, limit, continue: token });
    const path = `${collectionPath(type, namespace)}${query}`;
    const list = await this.#json<RawList<T>>(
      { method: 'GET', path, ...about('list', type, { namespace }, options) },
      options,
      true,
    );
    if (!Array.isArray(list.items) || !list.metadata?.resourceVersion) {
      // An empty cache is how a controller comes to delete everything: what is no list is no empty list either.
      throw new ApiUnavailableError(
        `The API server's answer is no list (list ${type.plural}): look at the proxies in between.`,
        'KubernetesUnavailable',
        'none',
      );
    }
    const apiVersion = apiVersionOf(type);
    return {
      items: list.items.map((item) => ({ apiVersion, kind: type.kind, ...item })),
      resourceVersion: list.metadata.resourceVersion,
      continue: list.metadata.continue || undefined,
    };
  }

  /** @throws ConflictError with code `AlreadyExists` */
  create<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const { namespace } = object.metadata;
    const path = `${collectionPath(type, namespace)}${writeQuery(options)}`;
    return this.#json(
      { method: 'POST', path, body: typed(type, object), ...about('create', type, { namespace }, options) },
      options,
      false,
    );
  }

  /** Conflicts unless the object still has the `metadata.resourceVersion` that is given. @throws ConflictError, NotFoundError */
  replace<T extends KubeObject>(type: ResourceType<T>, object: T, options: WriteOptions = {}): Promise<T> {
    const path = `${objectPath(type, object.metadata, options.subresource)}${writeQuery(options)}`;
    return this.#json(
      { method: 'PUT', path, body: typed(type, object), ...about('update', type, object.metadata, options) },
      options,
      false,
    );
  }

  patch<T extends KubeObject>(
    type: ResourceType<T>,
    ref: ObjectRef,
    patch: Patch,
    options: WriteOptions = {},
  ): Promise<T> {
    const applies = patch.kind === 'apply';
    const query = writeQuery(
      options,
      applies ? { fieldManager: patch.fieldManager, force: patch.force } : {},
    );
    const body = patch.kind === 'json' ? patch.operations : applies ? typed(type, patch.body) : patch.body;
    const path = `${objectPath(type, ref, options.subresource)}${query}`;
    return this.#json(
      {
        method: 'PATCH',
        path,
        body,
        contentType: CONTENT_TYPES[patch.kind],
        ...about('patch', type, ref, options),
      },
      options,
      applies,
    );
  }

  /** Asks for the deletion; finalizers may keep the object for long. @throws NotFoundError, ConflictError */
  async delete(type: ResourceType, ref: ObjectRef, options: DeleteOptions = {}): Promise<void> {
    const { uid, resourceVersion, propagationPolicy, gracePeriodSeconds, dryRun } = options;
    const body = {
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      propagationPolicy,
      gracePeriodSeconds,
      preconditions: { uid, resourceVersion },
      ...(dryRun ? { dryRun: ['All'] } : {}),
    };
    await this.#json(
      { method: 'DELETE', path: objectPath(type, ref), body, ...about('delete', type, ref, options) },
      options,
      false,
    );
  }

  /**
   * What happens after a state, in order, with bookmarks. Ends when the server ends it.
   * @throws ExpiredError when that state is too old; ApiUnavailableError when the connection broke; the signal's reason
   */
  async *watch<T extends KubeObject>(
    type: ResourceType<T>,
    options: WatchOptions,
  ): AsyncGenerator<WatchEvent<T>, void, undefined> {
    const { namespace, labelSelector, fieldSelector, resourceVersion, timeoutSeconds, idleMs } = options;
    const query = queryOf({
      watch: true,
      allowWatchBookmarks: true,
      labelSelector,
      fieldSelector,
      resourceVersion,
      timeoutSeconds,
    });
    const outgoing: Outgoing = {
      method: 'GET',
      path: `${collectionPath(type, namespace)}${query}`,
      ...about('watch', type, { namespace }, { channel: 'watch' }),
    };
    const idle = deadlineAfter(idleMs, options.signal, () => tooSlow(outgoing, idleMs));
    try {
      const { body } = await this.#transport.open(outgoing, idle.signal);
      options.onOpen?.();
      for await (const line of linesOf(heard(body, () => idle.extend()))) {
        if (idle.signal.aborted) throw idle.signal.reason;
        yield eventOf<T>(line, whatOf(outgoing));
      }
    } catch (error) {
      if (idle.signal.aborted) throw idle.signal.reason;
      throw error instanceof SymphonyError ? error : this.#transport.broken(error, outgoing);
    } finally {
      idle.end();
    }
  }

  /** The text of any path, for example `/readyz` or `/version`. */
  text(path: string, call: CallOptions = {}): Promise<string> {
    const record = { verb: 'get' as const, resource: path.split('?')[0] ?? path, namespace: undefined };
    return this.#call({ method: 'GET', path, channel: call.channel ?? 'shared', record }, call, true);
  }

  /** Ends all that is under way. */
  close(): Promise<void> {
    return this.#transport.close();
  }

  async #json<R>(outgoing: Outgoing, call: CallOptions, repeatable: boolean): Promise<R> {
    const text = await this.#call(outgoing, call, repeatable);
    try {
      return JSON.parse(text) as R;
    } catch (cause) {
      throw new ApiUnavailableError(
        `The API server's answer is no JSON (${whatOf(outgoing)}): look at the proxies in between.`,
        'KubernetesUnavailable',
        'unknown',
        undefined,
        { cause },
      );
    }
  }

  #call(outgoing: Outgoing, call: CallOptions, repeatable: boolean): Promise<string> {
    const { signal, deadlineMs = DEADLINE_MS, attemptMs = ATTEMPT_MS, attempts = ATTEMPTS } = call;
    const until = performance.now() + deadlineMs;
    return withRetries({ attempts, repeatable: call.repeatable ?? repeatable, until, signal }, async () => {
      const ms = Math.min(attemptMs, Math.max(1, until - performance.now()));
      const deadline = deadlineAfter(ms, signal, () => tooSlow(outgoing, ms));
      try {
        return await this.#transport.text(outgoing, deadline.signal);
      } finally {
        deadline.end();
      }
    });
  }
}

interface RawList<T> {
  items?: T[];
  metadata?: { resourceVersion?: string; continue?: string };
}

function about(
  verb: RequestRecord['verb'],
  type: ResourceType,
  { namespace }: { namespace?: string | undefined },
  { channel = 'shared', subresource }: { channel?: Channel; subresource?: string },
): Pick<Outgoing, 'record' | 'channel'> {
  const resource = subresource === undefined ? type.plural : `${type.plural}/${subresource}`;
  return { channel, record: { verb, resource, namespace } };
}

function typed(type: ResourceType, object: object): object {
  return { ...object, apiVersion: apiVersionOf(type), kind: type.kind };
}

function writeQuery(
  { dryRun, fieldManager }: WriteOptions,
  apply: { fieldManager?: string; force?: boolean | undefined } = {},
): string {
  return queryOf({ dryRun: dryRun ? 'All' : undefined, fieldManager, ...apply });
}

async function* heard(
  body: AsyncIterable<Uint8Array>,
  onBytes: () => void,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of body) {
    onBytes();
    yield chunk;
  }
}
