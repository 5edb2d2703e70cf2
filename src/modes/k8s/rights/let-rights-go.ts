import type { ApiClient } from '../client/index.js';
import { unlessMissing } from '../objects/readable.js';
import { stripFinalizers } from '../objects/strip-finalizers.js';
import { RIGHTS_FINALIZER, ROLE_BINDING_TYPE, ROLE_TYPE } from './role-types.js';

export interface LetGoOptions {
  client: Pick<ApiClient, 'get' | 'patch'>;
  namespace: string;
  /** Names of Roles and of the RoleBindings of the same name; the last one is what gives the right to do this, and goes last. */
  names: readonly string[];
  signal?: AbortSignal;
}

/**
 * Takes our finalizer off the Roles and RoleBindings of a namespace. Those that are being deleted are gone then, and the engine's
 * rights with them.
 * @returns from how many it was taken @throws what the API server refuses
 */
export async function letRightsGo({ client, namespace, names, signal }: LetGoOptions): Promise<number> {
  let count = 0;
  for (const name of names) {
    for (const type of [ROLE_TYPE, ROLE_BINDING_TYPE]) {
      const held = await unlessMissing(client.get(type, { namespace, name }, { signal }));
      if (!held?.metadata.finalizers?.includes(RIGHTS_FINALIZER)) continue;
      await stripFinalizers(client, type, held, [RIGHTS_FINALIZER], signal);
      count += 1;
    }
  }
  return count;
}
