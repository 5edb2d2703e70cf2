import { ConflictError } from '@symphony/model';
import type { ApiClient, KubeObject, ObjectRef, ResourceType } from '../client/index.js';
import { unlessMissing } from './readable.js';

const MAX_TRIES = 20;

/**
 * Takes finalizers off an object, and off no other that has its name by then. Finalizers of others stay, also when they come or
 * go meanwhile.
 * @param listed as it was last read
 * @throws ConflictError when it changes all the time; what the API server refuses
 */
export async function stripFinalizers<T extends KubeObject>(
  client: Pick<ApiClient, 'get' | 'patch'>,
  type: ResourceType<T>,
  listed: T,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  const { name, namespace, uid } = listed.metadata;
  const ref: ObjectRef = { name, ...(namespace === undefined ? {} : { namespace }) };
  let object: T | undefined = listed;
  for (let attempt = 1; object && object.metadata.uid === uid; attempt++) {
    const { resourceVersion, finalizers = [] } = object.metadata;
    const left = finalizers.filter((name) => !names.includes(name));
    if (left.length === finalizers.length) return;
    const body = { metadata: { uid, resourceVersion, finalizers: left } };
    try {
      await unlessMissing(client.patch(type, ref, { kind: 'merge', body }, { signal }));
      return;
    } catch (error) {
      if (!(error instanceof ConflictError) || attempt === MAX_TRIES) throw error;
      object = await unlessMissing(client.get(type, ref, { signal }));
    }
  }
}
