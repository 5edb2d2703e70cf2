import { Client } from 'pg';
import { isElsewhere, type EnginePlace } from './engine-place.js';
import type { EngineProcess } from './engine-process.js';
import { clusterOfPlaces, namespaceOf } from './kubernetes-mode.js';

/** So many lanes are enough to say that an engine is at work. */
const AT_WORK = 5;

/** Who holds what of the work that engines of one place share, seen past the engines. */
export interface ShareOfWork {
  /** Waits until all engines that can work are at it; tells one of them. */
  ofOneAtWork(engines: readonly [EngineProcess, EngineProcess]): Promise<EngineProcess>;
  /** What is held (a lane, or the leadership), and what changes when another one takes it. */
  held(): Promise<Map<string, string>>;
  close(): Promise<void>;
}

export function shareOfWork(place: EnginePlace): Promise<ShareOfWork> {
  return isElsewhere() ? Promise.resolve(leadership(place)) : lanesOf(place);
}

/** All engines work on lanes; each lane is held by one of them. */
async function lanesOf({ url }: EnginePlace): Promise<ShareOfWork> {
  const observer = new Client({ connectionString: url });
  observer.on('error', () => undefined);
  await observer.connect();
  return {
    ofOneAtWork: async ([one, other]) => {
      await other.until('both to be at work', async () => {
        const { rows } = await observer.query(
          'SELECT worker FROM lanes WHERE worker IS NOT NULL GROUP BY worker HAVING count(*) >= $1',
          [AT_WORK],
        );
        return rows.length === 2 ? true : undefined;
      });
      return one;
    },
    held: async () => {
      const { rows } = await observer.query<{ name: string; epoch: string }>(
        'SELECT name, epoch::text FROM lanes WHERE worker IS NOT NULL',
      );
      return new Map(rows.map(({ name, epoch }) => [name, epoch]));
    },
    close: () => observer.end(),
  };
}

/** The leader works, and holds the Lease. */
function leadership({ url }: EnginePlace): ShareOfWork {
  return {
    ofOneAtWork: async (engines) => {
      const [one, other] = engines;
      await one.until('the leader to be at work', async () => {
        const running = await one.ok<unknown[]>('GET', '/jobs?state=running&limit=1000');
        return running.length >= AT_WORK ? true : undefined;
      });
      return (await one.readyz())?.text.includes('This replica leads') ? one : other;
    },
    held: async () => {
      const cluster = await clusterOfPlaces();
      const path = `/apis/coordination.k8s.io/v1/namespaces/${namespaceOf(url)}/leases/symphony-engine`;
      const { spec } = await cluster.api.call<{ spec: { holderIdentity?: string } }>('GET', path);
      return new Map(spec.holderIdentity ? [['the Lease', spec.holderIdentity]] : []);
    },
    close: () => Promise.resolve(),
  };
}
