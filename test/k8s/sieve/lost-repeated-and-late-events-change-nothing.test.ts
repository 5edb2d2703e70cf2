import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { Lab, Operator } from './lab.js';
import type { Lives, LifeState } from './lives.js';
import { resourceOf, WatchChaos } from './watch-chaos.js';

vi.setConfig({ testTimeout: 300_000, hookTimeout: 600_000 });

const SEEDS = [11, 12, 13, 14, 15];
const POLL = { timeout: 90_000, interval: 100 };

/** One namespace with a life of its own; what its watches tell goes through chaos, but for the first one's. */
interface World {
  life: string;
  lives: Lives;
  chaos: WatchChaos | undefined;
  /** After each chapter. */
  states: Map<string, LifeState>;
  removals: Map<string, string[]>;
  failure?: unknown;
}

const V1 = { version: 1 };
const DEPLOYED = { near: { a: V1, b: V1 }, far: { c: V1 } };

// One operator follows a namespace for each seed. Whatever its watches tell, the same comes of what people do; what no event told
// is found at the next list.
describeKubernetes('a script of changes', (cluster) => {
  let lab: Lab;
  let operator: Operator;
  let worlds: World[];

  /** What people do, and what is on the targets when all of it is done. */
  const CHAPTERS: Readonly<
    Record<string, { act: (world: World) => Promise<void>; there: LifeState['there'] }>
  > = {
    'everything is created, the last first': {
      act: async ({ life, lives }) => {
        await lives.putInstance(life);
        await lives.putFirst(life);
        for (const site of ['far', 'near']) await lives.target(life, site, { life, site });
      },
      there: DEPLOYED,
    },
    'many small changes': {
      act: async ({ life, lives }) => {
        for (const version of [2, 3, 4, 5]) {
          await lives.putLater(life, version);
          await lives.target(life, 'far', { life, site: 'far', colour: `of ${version}` });
          await lives.annotate(life, { 'symphony/reconcile': `${version}` });
        }
      },
      there: { ...DEPLOYED, far: { c: { version: 5 } } },
    },
    'one component goes, one moves': {
      act: ({ life, lives }) => lives.step('change').take(life),
      there: { near: {}, far: { b: V1, c: { version: 2 } } },
    },
    'and back': {
      act: ({ life, lives }) => lives.putFirst(life),
      there: DEPLOYED,
    },
    'a target joins': {
      act: ({ life, lives }) => lives.target(life, 'third', { life, site: 'near' }),
      there: { ...DEPLOYED, third: { a: V1, b: V1 } },
    },
    'a target leaves': {
      act: ({ life, lives }) => lives.remove('targets', `third-${life}`),
      there: { ...DEPLOYED, third: {} },
    },
    'the instance is made anew': {
      act: async ({ life, lives }) => {
        await lives.remove('instances', `app-${life}`);
        await vi.waitFor(async () => {
          expect(await lives.get('instances', `app-${life}`)).toBeUndefined();
        }, POLL);
        await lives.putInstance(life);
      },
      there: { ...DEPLOYED, third: {} },
    },
    'everything is deleted': {
      act: async ({ life, lives }) => {
        await lives.remove('targets', `near-${life}`);
        await lives.remove('instances', `app-${life}`);
        await lives.remove('solutions', `app-${life}`);
        await lives.remove('targets', `far-${life}`);
      },
      there: { near: {}, far: {}, third: {} },
    },
  };

  /** One chapter after the other, each when the one before has come to its end. */
  async function live(world: World, expected?: World): Promise<void> {
    const { life, lives, chaos } = world;
    for (const [chapter, { act, there }] of Object.entries(CHAPTERS)) {
      const before = lab.targets.removals(life).length;
      await act(world);
      const about = `${chapter}, seed ${chaos?.seed}`;
      const wanted = expected?.states.get(chapter);
      if (wanted) await lab.reached(new Map([[life, about]]), wanted, { lives, timeoutMs: POLL.timeout });
      else world.states.set(chapter, await lab.settled(life, there, operator.proxy, lives));
      world.removals.set(chapter, lab.targets.removals(life).slice(before).toSorted());
    }
  }

  beforeAll(async () => {
    lab = await Lab.open(cluster(), SEEDS.length + 1);
    operator = await Operator.start(lab, { args: ['--kubernetes-relist=10s'] });
    worlds = lab.namespaces.map((namespace, index): World => {
      const seed = SEEDS[index - 1];
      return {
        life: String(index + 1),
        lives: lab.livesIn(namespace),
        chaos: seed === undefined ? undefined : new WatchChaos(seed),
        states: new Map(),
        removals: new Map(),
      };
    });
    operator.proxy.tamper = (line, request, later) => {
      const namespace = /\/namespaces\/([^/]+)\//.exec(request.url)?.[1];
      const chaos = worlds.find(({ lives }) => lives.namespace === namespace)?.chaos;
      const followed = ['instances', 'solutions', 'targets', 'ledgers'].includes(resourceOf(request.url));
      return chaos && followed ? chaos.tamper(line, request, later) : [line];
    };
    const [quiet, ...others] = worlds;
    if (!quiet) throw new Error('there is no world');
    await live(quiet);
    await Promise.all(
      others.map((world) => live(world, quiet).catch((error: unknown) => (world.failure = error))),
    );
  });
  afterAll(async () => {
    await operator.engine.stop();
    await lab.close();
  });

  describe.each(SEEDS)('with the chaos of seed %i', (seed) => {
    const world = (): World => {
      const found = worlds.find(({ chaos }) => chaos?.seed === seed);
      if (!found) throw new Error(`there is no world of seed ${seed}`);
      return found;
    };

    test('comes to the same end', () => {
      if (world().failure) throw world().failure;
      expect([...world().removals.keys()]).toEqual(Object.keys(CHAPTERS));
    });

    test('removes nothing that is not removed without', () => {
      expect(Object.fromEntries(world().removals)).toEqual(Object.fromEntries(worlds[0]?.removals ?? []));
    });

    test('was chaos indeed', () => {
      const kinds = ['instances', 'solutions', 'targets'];
      const { done } = world().chaos ?? {};
      for (const kind of kinds) {
        const ways = [...(done?.keys() ?? [])].filter((key) => key.startsWith(kind));
        expect(ways.length, JSON.stringify([...(done ?? [])])).toBeGreaterThan(1);
      }
    });
  });

  test('runs nothing twice at a time', () => {
    expect(lab.targets.overlaps).toEqual([]);
  });

  test('meets each kind of fault on each kind of object in some namespace', () => {
    const met = new Set(worlds.flatMap(({ chaos }) => [...(chaos?.done.keys() ?? [])]));
    const kinds = ['instances', 'solutions', 'targets', 'ledgers'];
    const ways = ['lost', 'repeated', 'late', 'swapped'];
    expect(
      kinds.flatMap((kind) => ways.map((way) => `${kind} ${way}`)).filter((each) => !met.has(each)),
    ).toEqual([]);
  });
});
