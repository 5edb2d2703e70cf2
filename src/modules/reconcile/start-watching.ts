import pLimit from 'p-limit';
import { messageOf } from '@symphony/model';
import type { ObservedPlace, RunPlanner } from '../solution/index.js';
import type { Ledger } from './ledger.js';

const PAGE = 200;
/** Watches that begin at the same time; each may have to connect first. */
const AT_ONCE = 8;
/** More are begun by runs only: each is a connection. */
const MAX_PLACES = 2_000;

export interface StartWatching {
  ledger: Pick<Ledger, 'placesWith'>;
  planner: Pick<RunPlanner, 'watchingTypes' | 'place'>;
  begin: (place: ObservedPlace) => Promise<void>;
  log: (message: string) => void;
  stop: AbortSignal;
}

/**
 * Begins to watch where something is, so that a restart makes nobody deaf until the next run of each object. Page by page, and
 * best effort: what cannot be watched is found by the periodic runs.
 */
export async function startWatching({ ledger, planner, begin, log, stop }: StartWatching): Promise<void> {
  const types = planner.watchingTypes();
  if (types.length === 0) return;
  const limit = pLimit(AT_ONCE);
  let after: string | undefined;
  let count = 0;
  do {
    const page = await ledger.placesWith(types, PAGE, after);
    await Promise.all(
      page.items.map((item) =>
        limit(async () => {
          if (stop.aborted) return;
          try {
            await begin(await planner.place(item, stop));
          } catch (error) {
            log(`Target ${item.targetName} is not watched before the next run there: ${messageOf(error)}`);
          }
        }),
      ),
    );
    count += page.items.length;
    after = page.next;
    if (after !== undefined && count >= MAX_PLACES) {
      log(`More than ${MAX_PLACES} places could be watched; the others are from their next run on.`);
      return;
    }
  } while (after !== undefined && !stop.aborted);
}
