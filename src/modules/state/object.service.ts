import { Injectable } from '@nestjs/common';
import type { DeployableKind, ObjectKind, StoredObject } from '@symphony/model';
import { addressOfWrite, type ReadBody } from './body.js';
import { effectsOfWrite } from './effects.js';
import { checkChange, checkObject } from './object-rules.js';
import {
  type ComponentReport,
  type ListQuery,
  type ObjectKey,
  type ObjectPage,
  ObjectStore,
  type ObjectWrite,
  type OrphanResult,
  type Precondition,
  type WriteResult,
} from './object-store.js';
import { checkPrecondition, decideWrite, notFound } from './write-rules.js';

/** How a write is asked for, beside what is to be written. */
export interface WriteOptions {
  precondition: Precondition;
  /** Decide and answer as if, but store nothing. */
  dryRun: boolean;
  /** Name of the user. */
  actor?: string;
}

/** The rules of objects, whatever the store and the way they are reached. */
@Injectable()
export class ObjectService {
  constructor(private readonly store: ObjectStore) {}

  /** @throws NotFoundError */
  async get<K extends ObjectKind>(key: ObjectKey<K>): Promise<StoredObject<K>> {
    const object = await this.store.get(key);
    if (!object) throw notFound(key);
    return object;
  }

  async list<K extends ObjectKind>(query: ListQuery & { kind: K }): Promise<ObjectPage<K>> {
    return this.store.list(query);
  }

  /**
   * Creates or replaces the user's half of an object and orders what follows from it.
   * @param url what the URL says of name and namespace
   */
  async write<K extends ObjectKind>(
    kind: K,
    url: { name?: string; namespace?: string },
    body: ReadBody<K>,
    options: WriteOptions,
  ): Promise<WriteResult<K>> {
    const { metadata } = body;
    const etag = metadata?.etag === undefined ? '' : String(metadata.etag);
    const write: ObjectWrite<K> = {
      ...addressOfWrite(kind, url, metadata),
      spec: body.spec,
      labels: metadata?.labels ?? {},
      annotations: metadata?.annotations ?? {},
      precondition: { ...options.precondition, ...(etag === '' ? {} : { etag }) },
      check: (stored) => checkChange(stored, body.spec),
    };
    checkObject(write);
    if (options.dryRun) return this.#writeDry(write);
    return this.store.put(write, (before, after) => effectsOfWrite(before, after, options.actor));
  }

  async #writeDry<K extends ObjectKind>(write: ObjectWrite<K>): Promise<WriteResult<K>> {
    const stored = await this.store.get<K>(write);
    const { spec, labels, annotations, specChanged, changed } = decideWrite(stored, write);
    const { kind, namespace, name } = write;
    const base: StoredObject<K> = stored ?? {
      kind,
      namespace,
      name,
      uid: '',
      generation: 0,
      version: '',
      labels,
      annotations,
      spec,
      status: {},
      createdAt: new Date().toISOString(),
    };
    const generation = base.generation + (specChanged ? 1 : 0);
    return { object: { ...base, spec, labels, annotations, generation }, created: !stored, changed };
  }

  /** Requests deletion. @throws NotFoundError, PreconditionFailedError */
  async remove<K extends ObjectKind>(key: ObjectKey<K>, options: WriteOptions): Promise<StoredObject<K>> {
    if (options.dryRun) {
      const stored = await this.store.get(key);
      checkPrecondition(key, stored, options.precondition);
      if (!stored) throw notFound(key);
      return stored;
    }
    const { object } = await this.store.requestDeletion(key, options.precondition, (before, after) =>
      effectsOfWrite(before, after, options.actor),
    );
    return object;
  }

  /** Forgets an object without removing what it deployed. */
  async orphan(key: ObjectKey<DeployableKind>, precondition: Precondition): Promise<OrphanResult> {
    return this.store.orphan(key, precondition);
  }

  async report(
    key: ObjectKey<'Target'>,
    properties: Record<string, string>,
    component?: ComponentReport,
  ): Promise<StoredObject<'Target'>> {
    return this.store.report(key, properties, component);
  }
}
