import { ConflictError, type DeployableKind } from '@symphony/model';
import { FencedError } from '../../../modules/queue/index.js';
import type { ApiClient, ObjectRef } from '../client/index.js';
import { unlessMissing } from './readable.js';
import { typeOf, type CustomObject } from './custom-object.js';

/** What keeps a deleted object until what was deployed for it is removed. The names are Symphony's. */
export const FINALIZERS: Readonly<Record<DeployableKind, string>> = {
  Target: 'target.fabric.symphony/finalizer',
  Instance: 'instance.solution.symphony/finalizer',
};

/** Those of Symphony's operators of other versions: once an object is ours, nobody else takes them off. */
export const FINALIZERS_OF_OTHERS: Readonly<Record<DeployableKind, readonly string[]>> = {
  Target: [],
  Instance: ['instance.solutionversion.symphony/finalizer'],
};

const MAX_TRIES = 10;

export interface FinalizersOptions {
  client: Pick<ApiClient, 'get' | 'patch'>;
  /** The object as it was last seen. */
  seen(kind: DeployableKind, ref: ObjectRef): CustomObject | undefined;
  /** Takes over the answer of a write, so that the next one is based on it. */
  written(kind: DeployableKind, object: CustomObject<DeployableKind>): void;
}

/** Puts our finalizer on users' objects and takes it off; those of others stay. Of the user's half nothing else is written. */
export class Finalizers {
  /** Objects by uid that are getting ours: what many are put on at once gets it once. */
  readonly #adding = new Map<string, Promise<void>>();

  constructor(private readonly options: FinalizersOptions) {}

  /** Nothing is deployed for an object that could go without notice. @throws FencedError when it is going, or gone */
  async add(kind: DeployableKind, ref: ObjectRef, uid: string): Promise<void> {
    const seen = this.options.seen(kind, ref);
    // An object that was not seen yet is no proof that there is none.
    const known = seen?.metadata.uid === uid ? seen : undefined;
    if (known && has(known, kind)) return;
    const adding = this.#adding.get(uid) ?? this.#add(kind, ref, uid, known);
    this.#adding.set(uid, adding);
    try {
      await adding;
    } finally {
      if (this.#adding.get(uid) === adding) this.#adding.delete(uid);
    }
  }

  #add(kind: DeployableKind, ref: ObjectRef, uid: string, known: CustomObject | undefined): Promise<void> {
    return this.#change(kind, ref, uid, known, (object) => {
      if (has(object, kind)) return undefined;
      // The server takes no new finalizer on what is being deleted.
      if (object.metadata.deletionTimestamp !== undefined) throw new FencedError();
      return [...finalizersOf(object), FINALIZERS[kind]];
    });
  }

  /** Lets a deleted object go. Nothing happens when it is gone, or never had it. */
  async remove(kind: DeployableKind, ref: ObjectRef, uid: string): Promise<void> {
    const seen = this.options.seen(kind, ref);
    // What was not seen on it may be there all the same.
    const known = seen?.metadata.uid === uid && has(seen, kind) ? seen : undefined;
    try {
      await this.#change(kind, ref, uid, known, (object) => {
        const left = finalizersOfOthers(kind, object);
        return left.length < finalizersOf(object).length ? left : undefined;
      });
    } catch (error) {
      if (!(error instanceof FencedError)) throw error;
    }
  }

  async #change(
    kind: DeployableKind,
    ref: ObjectRef,
    uid: string,
    known: CustomObject | undefined,
    finalizersOfChange: (object: CustomObject) => string[] | undefined,
  ): Promise<void> {
    const { client } = this.options;
    let object = known;
    for (let attempt = 1; ; attempt++) {
      object ??= await unlessMissing(client.get(typeOf(kind), ref));
      if (object?.metadata.uid !== uid) throw new FencedError();
      const finalizers = finalizersOfChange(object);
      if (!finalizers) return;
      const { resourceVersion } = object.metadata;
      const body = { metadata: { uid, resourceVersion, finalizers } };
      try {
        const written = await unlessMissing(client.patch(typeOf(kind), ref, { kind: 'merge', body }));
        // Deleted since it was seen: what nobody holds goes at once.
        if (!written) throw new FencedError();
        // Also without ours, or it would be thought to be there until the watch tells; what has gone meanwhile is not taken over.
        this.options.written(kind, written);
        return;
      } catch (error) {
        if (!(error instanceof ConflictError) || attempt === MAX_TRIES) throw error;
        object = undefined;
      }
    }
  }
}

function finalizersOf({ metadata }: CustomObject): string[] {
  return metadata.finalizers ?? [];
}

/** What keeps a deleted object beside us. */
export function finalizersOfOthers(kind: DeployableKind, object: CustomObject): string[] {
  const ours = [FINALIZERS[kind], ...FINALIZERS_OF_OTHERS[kind]];
  return finalizersOf(object).filter((name) => !ours.includes(name));
}

function has(object: CustomObject, kind: DeployableKind): boolean {
  return finalizersOf(object).includes(FINALIZERS[kind]);
}
