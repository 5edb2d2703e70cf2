import {
  MemoryLanes,
  MemoryWaker,
  type LaneClock,
  type MemoryLanesOptions,
} from '../../../src/modes/k8s/lanes/index.js';
import type { LaneKey } from '../../../src/modules/queue/index.js';
import { OutcomeRecorder, type JobStoreSubject } from '../../support/job-store-conformance.js';

/** A monotonic clock that the test moves; the wall clock is the real one. */
class TestClock implements LaneClock {
  #now = 50_000;

  now(): number {
    return this.#now;
  }

  wallNow(): number {
    return Date.now();
  }

  pass(ms: number): void {
    this.#now += ms;
  }
}

export interface MemorySubject extends JobStoreSubject {
  store: MemoryLanes;
  clock: TestClock;
}

/** Lanes that lead in term 1 and know no object. */
export function openMemoryLanes(options: Partial<MemoryLanesOptions> = {}): MemorySubject {
  const objects = new Set<string>();
  const dependents = new Map<string, { name: string; generation: number }[]>();
  const writer = new OutcomeRecorder();
  const clock = new TestClock();
  const waker = new MemoryWaker();
  const store = new MemoryLanes({
    clock,
    waker,
    exists: (key) => objects.has(textOf(key)),
    write: async (claim) => {
      await writer.write(claim);
      return false;
    },
    dependentsOf: async ({ namespace, name }, after = '', limit) => {
      const all = (dependents.get(`${namespace}/${name}`) ?? []).filter((item) => item.name > after);
      const items = all.toSorted((a, b) => (a.name < b.name ? -1 : 1)).slice(0, limit);
      return items.length < all.length ? { items, next: items.at(-1)?.name } : { items };
    },
    ...options,
  });
  store.lead(1, []);
  return {
    store,
    waker,
    writer,
    clock,
    exist: async (keys) => keys.forEach((key) => objects.add(textOf(key))),
    vanish: async (key) => void objects.delete(textOf(key)),
    dependOn: async ({ namespace, name }, instances) => {
      for (const instance of instances)
        objects.add(textOf({ kind: 'Instance', namespace, name: instance.name }));
      const key = `${namespace}/${name}`;
      dependents.set(key, [...(dependents.get(key) ?? []), ...instances]);
    },
    fanOut: async (fanOut) => store.insertFanOuts([fanOut]),
    pass: async (ms) => clock.pass(ms),
    assertFence: async (fence) => store.assertFence(fence),
  };
}

function textOf({ kind, namespace, name }: LaneKey): string {
  return JSON.stringify([kind, namespace, name]);
}
