import type { DeployableKind } from '@symphony/model';
import type { ApiClient } from '../client/index.js';
import { termOf } from '../lanes/index.js';
import type { RefusedRecord } from '../leadership/index.js';
import { typeOf, type CustomObject } from '../objects/custom-object.js';
import { unlessMissing } from '../objects/readable.js';

/** An object whose status refused a write of that epoch, for a look at why. */
export function refusedStatus(
  client: Pick<ApiClient, 'get' | 'patch'>,
  kind: DeployableKind,
  { metadata: { name, namespace = '' } }: CustomObject,
  epoch: number,
): RefusedRecord {
  const type = typeOf<DeployableKind>(kind);
  let read: CustomObject | undefined;
  return {
    what: `${kind}/${namespace}/${name}`,
    term: termOf(epoch),
    stored: async () => {
      read = await unlessMissing(client.get(type, { name, namespace }));
      return read?.status?.epoch === undefined ? undefined : termOf(read.status.epoch);
    },
    // The rule of the schema lets it be taken away, and nothing be put lower; the next run writes its own.
    correct: async () => {
      if (!read) return;
      const { uid, resourceVersion } = read.metadata;
      const body = { metadata: { uid, resourceVersion }, status: { epoch: null } };
      await client.patch(type, { name, namespace }, { kind: 'merge', body }, { subresource: 'status' });
    },
  };
}
