import type { ApiClient } from '../client/index.js';
import { termOf } from '../lanes/index.js';
import type { RefusedRecord } from '../leadership/index.js';
import { unlessMissing } from '../objects/readable.js';
import { POSTED_TYPE, type PostedObject } from './posted-object.js';

/**
 * A record of a posted deployment that was refused as it would have been written, for a look at why. The records are the engine's
 * own: none is corrected.
 */
export function refusedPosted(
  client: Pick<ApiClient, 'get'>,
  { metadata: { name, namespace = '' }, spec }: PostedObject,
): RefusedRecord {
  return {
    what: `PostedDeployment/${namespace}/${name}`,
    term: termOf(spec.epoch),
    stored: async () => {
      const record = await unlessMissing(client.get(POSTED_TYPE, { name, namespace }));
      return record && termOf(record.spec.epoch);
    },
  };
}
