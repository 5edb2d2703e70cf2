import type { TargetSpec } from '@symphony/model';
import type { PlacesPage } from '../../../modules/reconcile/index.js';
import { entriesIn, type LedgerObject } from './ledger-object.js';

type Place = PlacesPage['items'][number];

/**
 * One page of the places where these providers have put something, each once, on targets that are stored. Pure.
 * @param ledgers those that have entries of these providers
 * @param after `next` of the page before
 */
export function placesIn(
  ledgers: Iterable<LedgerObject>,
  providers: readonly string[],
  specOf: (targetUid: string) => TargetSpec | undefined,
  limit: number,
  after = '',
): PlacesPage {
  const places = new Map<string, Place>();
  for (const ledger of ledgers) {
    for (const entry of entriesIn(ledger)) {
      const { targetUid, targetName, role, binding, bindingHash, scope, owner, knownAs } = entry;
      const key = JSON.stringify([targetUid, role, bindingHash]);
      const spec = providers.includes(entry.provider) && key > after ? specOf(targetUid) : undefined;
      if (!spec || places.has(key)) continue;
      const target = { name: targetName, uid: targetUid, spec };
      const marks = knownAs ? { knownAs } : {};
      places.set(key, { targetUid, targetName, role, binding, bindingHash, scope, owner, target, ...marks });
    }
  }
  const keys = [...places.keys()].toSorted();
  const page = keys.slice(0, limit);
  const items = page.flatMap((key) => places.get(key) ?? []);
  const last = page.at(-1);
  return last !== undefined && page.length < keys.length ? { items, next: last } : { items };
}
