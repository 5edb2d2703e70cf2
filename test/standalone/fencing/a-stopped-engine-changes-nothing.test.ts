import { afterEach, beforeEach, expect, test } from 'vitest';
import type { EngineProcess } from '../../support/engine-process.js';
import { Replicas, runs } from './replicas.js';

const ALL_MS = 240_000;

let replicas: Replicas;
beforeEach(async () => {
  replicas = await Replicas.start();
  const [engine] = replicas.engines;
  await engine.target('t', { topologies: replicas.world.topologies });
  await engine.solution('app', [{ name: 'c', properties: { version: '1' } }]);
});
afterEach(() => replicas.dispose());

function declare(engine: EngineProcess = replicas.engines[0]): Promise<unknown> {
  return engine.instance('i', { solution: 'app', target: { name: 't' } });
}

function otherThan(engine: EngineProcess): EngineProcess {
  return replicas.engines[0] === engine ? replicas.engines[1] : replicas.engines[0];
}

/** The engine that stood still goes on: nothing is written or started because of it, and it serves as before. */
async function goesOnAndChangesNothing(engine: EngineProcess): Promise<void> {
  const before = await replicas.everything();
  replicas.resume(engine);
  await replicas.givenUp(engine);
  expect(await replicas.everything()).toEqual(before);
  expect(await replicas.world.overlaps()).toEqual([]);

  await engine.ready();
  await engine.ok('DELETE', '/instances/i');
  await engine.gone('instances', 'i');
  expect(await replicas.world.deployed()).toEqual([]);
  expect(await replicas.world.overlaps()).toEqual([]);
  const { faults } = (await (await fetch(`${engine.url}/healthz`)).json()) as { faults: unknown };
  expect(faults).toEqual({ unhandledRejection: 0, uncaughtException: 0 });
}

test(
  'stopped while its script runs: the script is ended before another engine starts it again',
  async () => {
    const { world } = replicas;
    await world.setPace(600);
    await declare();
    const script = await replicas.applying('i');
    const { holder, other } = await replicas.holderOf('i');
    replicas.stop(holder);
    expect(await runs(script)).toBe(true);
    await world.setPace(0);

    await other.settled('instances', 'i');
    expect(await runs(script)).toBe(false);
    expect(await world.deployed()).toEqual(['i']);
    await goesOnAndChangesNothing(holder);
  },
  ALL_MS,
);

test.each(['get', 'apply'] as const)(
  'stopped between two calls, when the %s script has just ended',
  async (operation) => {
    const { world } = replicas;
    await world.stopEngineAfter(operation);
    const [asked] = replicas.engines;
    // The request may be served by the one that is stopped before it can answer.
    void declare(asked).catch(() => undefined);
    const stopped = await replicas.stoppedByScript();
    const other = otherThan(stopped);

    await other.settled('instances', 'i');
    expect(await world.deployed()).toEqual(['i']);
    await goesOnAndChangesNothing(stopped);
  },
  ALL_MS,
);

test(
  'stopped while it removes: the other removes, and the object does not come back',
  async () => {
    const { world } = replicas;
    const [engine] = replicas.engines;
    await declare();
    await engine.settled('instances', 'i');
    await world.stopEngineAfter('remove');
    void engine.request('DELETE', '/instances/i').catch(() => undefined);
    const stopped = await replicas.stoppedByScript();
    const other = otherThan(stopped);
    await other.gone('instances', 'i');
    await declare(other);
    await other.settled('instances', 'i');
    await goesOnAndChangesNothing(stopped);
  },
  ALL_MS,
);

test(
  'a newer declaration that the other has reached is not taken back',
  async () => {
    const { world } = replicas;
    await declare();
    await replicas.engines[0].settled('instances', 'i');
    await world.setPace(600);
    await replicas.engines[0].solution('app', [{ name: 'c', properties: { version: '2' } }]);
    await replicas.applying('i');
    const { holder, other } = await replicas.holderOf('i');
    replicas.stop(holder);
    await world.setPace(0);
    await other.ok('DELETE', '/instances/i');
    await other.gone('instances', 'i');
    await declare(other);
    await other.settled('instances', 'i');
    await goesOnAndChangesNothing(holder);
  },
  ALL_MS,
);
