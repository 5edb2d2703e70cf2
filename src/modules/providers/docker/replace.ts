import { randomBytes } from 'node:crypto';
import type { ComponentResultSpec } from '@symphony/model';
import { EngineError } from './engine/connection.js';
import type { Inspected } from './engine/engine.js';
import { portsClash } from './ports.js';
import { begin, create, removeAll, start, updated, type Wanted, type Work } from './work.js';

/**
 * Puts a new container in the place of one that is not as declared any more.
 *
 * Where both can run at the same time, the new one is started first, and when it dies right away the old one stays. Where
 * they would fight for a port or share data, the old one is stopped first; it is started again when the engine cannot
 * start the new one. Until the end the new one has a name of its own: an interrupted replacement is found by its labels.
 */
export async function replace(work: Work, wanted: Wanted, old: Inspected): Promise<ComponentResultSpec> {
  const id = await create(work, wanted, `${wanted.declared.name}.${randomBytes(4).toString('hex')}`);
  return canRunTogether(wanted, old) ? startFirst(work, wanted, old, id) : stopFirst(work, wanted, old, id);
}

async function startFirst(
  work: Work,
  wanted: Wanted,
  old: Inspected,
  id: string,
): Promise<ComponentResultSpec> {
  const failed = await orDiscard(work, id, () => start(work, id));
  if (failed) {
    await discard(work, id);
    return { ...failed, message: `${failed.message} The former container was left running.` };
  }
  await removeAll(work, [old]);
  await work.doings.renaming(id, wanted.declared.name, work.engine, work.call.signal);
  return updated();
}

async function stopFirst(
  work: Work,
  wanted: Wanted,
  old: Inspected,
  id: string,
): Promise<ComponentResultSpec> {
  const { engine, call, doings } = work;
  const former = old.container.Id;
  const settle = await doings.leaving(former, async () => {
    await engine.stop(former, call.signal);
    try {
      return await begin(work, id);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      await discard(work, id);
      await engine.start(former, call.signal);
      throw new EngineError(error.status, `${error.message} The former container was started again.`);
    }
  });
  await removeAll(work, [old]);
  await doings.renaming(id, wanted.declared.name, engine, call.signal);
  return (await settle()) ?? updated();
}

/** Runs and, when the engine refuses, removes the new container before it passes the refusal on. */
async function orDiscard<T>(work: Work, id: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof EngineError) await discard(work, id);
    throw error;
  }
}

function discard({ engine, doings, call }: Work, id: string): Promise<void> {
  return doings.leaving(id, () => engine.remove(id, call.signal));
}

function canRunTogether({ declared }: Wanted, { container }: Inspected): boolean {
  const { HostConfig: host = {}, State: state, NetworkSettings: settings } = container;
  const sharing = new Set((host.Mounts ?? []).map(({ Source }) => Source));
  return (
    state?.Status === 'running' &&
    host.NetworkMode !== 'host' &&
    !declared.networks.includes('host') &&
    !portsClash({ ...host.PortBindings, ...settings?.Ports }, declared.ports) &&
    !declared.mounts.some(({ Source }) => sharing.has(Source))
  );
}
