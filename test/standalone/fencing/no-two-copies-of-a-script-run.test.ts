import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { EngineProcess } from '../../support/engine-process.js';
import { ScriptWorld } from '../../support/script-world.js';
import { LEASE_SECONDS, Replicas, runs } from './replicas.js';

const ALL_MS = 240_000;

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup();
});

async function replicasWith(inDescendant: boolean): Promise<Replicas> {
  const replicas = await Replicas.start({ inDescendant });
  cleanups.push(() => replicas.dispose());
  return replicas;
}

async function declare(engine: EngineProcess, world: ScriptWorld): Promise<void> {
  await engine.target('t', { topologies: world.topologies });
  await engine.solution('app', [{ name: 'c', properties: { version: '1' } }]);
  await engine.instance('i', { solution: 'app', target: { name: 't' } });
}

/** It was applied to its end once, and no script of the instance ever met another. */
async function appliedOnce(world: ScriptWorld): Promise<void> {
  expect(await world.overlaps()).toEqual([]);
  expect(await world.applied()).toBe(1);
  expect(await world.deployed()).toEqual(['i']);
}

describe.each([
  ['does its work itself', false],
  // The kernel ends the script together with its engine, but not what the script has started.
  ['lets a program of its own do it', true],
] as const)('a long script that %s, its engine killed in the middle', (_, inDescendant) => {
  test(
    'the engine is started again',
    async () => {
      const world = await ScriptWorld.make({ inDescendant });
      cleanups.push(() => world.dispose());
      const dataDir = await mkdtemp(join(tmpdir(), 'symphony-copies-'));
      cleanups.push(() => rm(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 }));
      const engine = await EngineProcess.start({
        dataDir,
        args: [world.flag, `--queue-lease-seconds=${LEASE_SECONDS}`],
      });
      cleanups.push(() => engine.kill());
      await world.setPace(600);
      await declare(engine, world);
      const begun = async (): Promise<number> =>
        (await world.notes()).filter(({ what, operation }) => what === 'begin' && operation === 'apply')
          .length;
      const scripts: number[] = [];
      for (let time = 1; time <= 2; time++) {
        await engine.until('the script to run', async () => ((await begun()) >= time ? true : undefined));
        scripts.push(await world.scriptOf('i'));
        await engine.kill('SIGKILL');
        // As far as nothing but the start of the next engine ends it.
        if (inDescendant) expect(await runs(scripts.at(-1) ?? 0)).toBe(true);
        if (time === 2) await world.setPace(0);
        await engine.begin();
        expect(await runs(scripts.at(-1) ?? 0)).toBe(false);
      }
      await engine.settled('instances', 'i');
      expect(new Set(scripts).size).toBe(2);
      await appliedOnce(world);
    },
    ALL_MS,
  );

  test(
    'another replica takes over, and the killed one comes back at the same time',
    async () => {
      const replicas = await replicasWith(inDescendant);
      const { world } = replicas;
      await world.setPace(600);
      await declare(replicas.engines[0], world);
      const script = await replicas.applying('i');
      const { holder, other } = await replicas.holderOf('i');
      await holder.kill('SIGKILL');
      if (inDescendant) expect(await runs(script)).toBe(true);
      await world.setPace(0);
      const back = holder.begin();
      await other.settled('instances', 'i');
      expect(await runs(script)).toBe(false);
      await back;
      await appliedOnce(world);
    },
    ALL_MS,
  );

  test(
    'another replica takes over alone',
    async () => {
      const replicas = await replicasWith(inDescendant);
      const { world } = replicas;
      await world.setPace(600);
      await declare(replicas.engines[0], world);
      const script = await replicas.applying('i');
      const { holder, other } = await replicas.holderOf('i');
      await holder.kill('SIGKILL');
      await world.setPace(0);
      await other.settled('instances', 'i');
      expect(await runs(script)).toBe(false);
      await appliedOnce(world);
    },
    ALL_MS,
  );
});
