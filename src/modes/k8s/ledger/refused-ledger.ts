import { termOf } from '../lanes/index.js';
import type { RefusedRecord } from '../leadership/index.js';
import type { ApiClient } from '../client/index.js';
import { unlessMissing } from '../objects/readable.js';
import { LEDGER_TYPE, type LedgerObject } from './ledger-object.js';

/** A ledger that refused a write of that epoch, for a look at why. Ledgers are the engine's own: none is corrected. */
export function refusedLedger(
  client: Pick<ApiClient, 'get'>,
  { metadata: { name, namespace = '' } }: LedgerObject,
  epoch: number,
): RefusedRecord {
  return {
    what: `Ledger/${namespace}/${name}`,
    term: termOf(epoch),
    stored: async () => {
      const ledger = await unlessMissing(client.get(LEDGER_TYPE, { name, namespace }));
      return ledger && termOf(ledger.spec.epoch);
    },
  };
}
