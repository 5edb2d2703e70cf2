import { afterEach, beforeAll, expect, test } from 'vitest';
import { builtMain } from '../../support/built.js';
import { mockTopology } from '../../support/engine.js';
import type { Note } from '../../support/script-world.js';
import { Replicas } from '../fencing/replicas.js';

const ALL_MS = 240_000;
/** The engine is built when its source has changed since the last time. */
const BUILD_MS = 300_000;

beforeAll(() => builtMain(), BUILD_MS);

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function replicasWithTarget(): Promise<Replicas> {
  const replicas = await Replicas.start();
  cleanups.push(() => replicas.dispose());
  const [engine] = replicas.engines;
  await engine.target('t', { topologies: replicas.world.topologies });
  await engine.solution('app', [{ name: 'c', properties: { version: '1' } }]);
  return replicas;
}

/** A slot is given back when its run is over, and the run does not wait for that. */
async function allSlotsFree(replicas: Replicas): Promise<void> {
  await replicas.engines[0].until('all slots to be free', async () => {
    const held = await replicas.query('SELECT 1 FROM target_slots');
    return held.length === 0 ? true : undefined;
  });
}

/** How many scripts ran at the same time at most; the diary has one line for each begin and each end. */
function mostAtOnce(notes: readonly Note[]): number {
  let now = 0;
  let most = 0;
  for (const { what } of notes) {
    now += what === 'begin' ? 1 : what === 'end' ? -1 : 0;
    most = Math.max(most, now);
  }
  return most;
}

const names = (prefix: string, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`);

test(
  'two processes never run two scripts on a target that bears one, and both get their turn',
  async () => {
    const replicas = await replicasWithTarget();
    const { engines, world } = replicas;
    const many = names('many', 8);
    for (const [index, name] of many.entries()) {
      const engine = engines[index % 2 === 0 ? 0 : 1];
      await engine.instance(name, { solution: 'app', target: { name: 't' } });
    }
    for (const name of many) await engines[0].settled('instances', name);
    const notes = await world.notes();
    expect(notes.filter(({ what, operation }) => what === 'begin' && operation === 'apply')).toHaveLength(8);
    expect(mostAtOnce(notes)).toBe(1);
    await allSlotsFree(replicas);
  },
  ALL_MS,
);

test(
  'a killed process holds its slot until its lease is over, and no longer',
  async () => {
    const replicas = await replicasWithTarget();
    const { engines, world } = replicas;
    await world.setPace(600);
    await engines[0].instance('i', { solution: 'app', target: { name: 't' } });
    await replicas.applying('i');
    const { holder, other } = await replicas.holderOf('i');
    const slots = await replicas.query<{ worker: string }>('SELECT worker FROM target_slots');
    expect(slots.map(({ worker }) => worker.includes(`-${holder.pid}-`))).toEqual([true]);
    await holder.kill('SIGKILL');
    await world.setPace(0);
    await other.instance('j', { solution: 'app', target: { name: 't' } });
    await other.settled('instances', 'j');
    await other.settled('instances', 'i');
    expect(await world.overlaps()).toEqual([]);
    await allSlotsFree(replicas);
  },
  ALL_MS,
);

test(
  'what hangs on one target, in both processes, takes nothing of what another target bears',
  async () => {
    const replicas = await replicasWithTarget();
    const { engines } = replicas;
    const hangs = { hangGet: 'true', concurrency: '1' };
    await engines[0].target('hung', { topologies: mockTopology('hung', hangs) });
    for (const [index, name] of names('stuck', 10).entries()) {
      const engine = engines[index % 2 === 0 ? 0 : 1];
      await engine.instance(name, { solution: 'app', target: { name: 'hung' } });
    }
    await engines[0].until('somebody to hang', async () => {
      const held = await replicas.query(
        `SELECT 1 FROM target_slots s JOIN objects o ON o.uid::text = s.target_uid WHERE o.name = 'hung'`,
      );
      return held.length > 0 ? true : undefined;
    });
    const began = performance.now();
    for (const name of names('fine', 4)) {
      await engines[1].instance(name, { solution: 'app', target: { name: 't' } });
    }
    for (const name of names('fine', 4)) await engines[1].settled('instances', name);
    // Far less than a call may hang.
    expect(performance.now() - began).toBeLessThan(40_000);
  },
  ALL_MS,
);
