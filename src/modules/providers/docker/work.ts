import { setTimeout as delay } from 'node:timers/promises';
import { StateCode, type ComponentResultSpec, type ComponentSpec } from '@symphony/model';
import type { ApplyCall, ValidationRule } from '@symphony/provider-kit';
import { conditionOf } from './condition.js';
import type { DockerConfig } from './config.js';
import type { Declaration } from './declaration.js';
import { EngineError } from './engine/connection.js';
import type { DockerEngine, Inspected } from './engine/engine.js';
import type { CreationBody } from './engine/types.js';
import { identityLabels } from './labels.js';
import type { OwnDoings } from './own-doings.js';
import { withLog, type Redact } from './words.js';

/** What all work on one component needs. */
export interface Work {
  engine: DockerEngine;
  config: DockerConfig;
  rule: ValidationRule;
  doings: OwnDoings;
  call: Pick<ApplyCall, 'owner' | 'target' | 'signal'>;
  component: ComponentSpec;
  redact: Redact;
}

/** A container to be made: its name, and what it is made from. */
export interface Wanted {
  declared: Declaration;
  body: CreationBody;
}

/** All containers of the component, with what is left of interrupted replacements; those being removed are left out. */
export async function ownContainers({ engine, call, component }: Work): Promise<Inspected[]> {
  const listed = await engine.list(identityLabels(call, component.name), call.signal);
  const found = await Promise.all(listed.map(({ Id }) => engine.inspect(Id, call.signal)));
  return found.filter(
    (item) => item !== undefined && item.container.State?.Status !== 'removing',
  ) as Inspected[];
}

/** Stops and removes containers; what somebody else removes meanwhile is fine. */
export async function removeAll(
  { engine, doings, call }: Pick<Work, 'engine' | 'doings' | 'call'>,
  containers: readonly Inspected[],
): Promise<void> {
  await Promise.all(
    containers.map(({ container: { Id, State } }) =>
      doings.leaving(Id, async () => {
        if (State?.Status !== 'created' && State?.Status !== 'exited') await engine.stop(Id, call.signal);
        await engine.remove(Id, call.signal);
      }),
    ),
  );
}

/**
 * Makes a container that is ready to start.
 * @throws EngineError; nothing is left then
 */
export async function create(work: Work, { declared, body }: Wanted, name: string): Promise<string> {
  const { engine, call, doings } = work;
  const id = await engine.create(name, body, call.signal);
  try {
    for (const network of declared.networks.slice(1)) await engine.connectNetwork(network, id, call.signal);
  } catch (error) {
    if (error instanceof EngineError) await doings.leaving(id, () => engine.remove(id, call.signal));
    throw error;
  }
  return id;
}

/** Starts a container and looks at it for the grace time. @returns the failure, when it keeps dying */
export async function start(work: Work, id: string): Promise<ComponentResultSpec | undefined> {
  const settle = await begin(work, id);
  return settle();
}

/** Starts a container. @returns what looks at it for the grace time, counted from its start, and tells as `start` does */
export async function begin(work: Work, id: string): Promise<() => Promise<ComponentResultSpec | undefined>> {
  const { engine, call, config } = work;
  // No AbortSignal.timeout: as a source of another signal it may be collected before it fires (seen on Node 20).
  const over = new AbortController();
  const signal = AbortSignal.any([call.signal, over.signal]);
  const exited = config.startGraceMs === 0 ? undefined : await engine.nextExit(id, signal);
  try {
    await engine.start(id, call.signal);
  } catch (error) {
    over.abort();
    throw error;
  }
  // It lets go of the connection by itself, since nobody may come to look.
  const passed = delay(config.startGraceMs, undefined, { signal, ref: false }).catch(() => undefined);
  void passed.then(() => over.abort());
  const ended = exited?.().catch(() => undefined) ?? passed;
  return async () => {
    const exitCode = await Promise.race([ended, passed]);
    over.abort();
    const inspected = await engine.inspect(id, call.signal);
    return inspected ? failureOf(work, inspected, exitCode) : gone();
  };
}

/**
 * What is to be said of a container that keeps dying; undefined when it does not.
 * @param exitCode of an end that was seen: once the engine has started it again, it does not tell any more
 */
export async function failureOf(
  work: Work,
  inspected: Inspected,
  exitCode?: number,
): Promise<ComponentResultSpec | undefined> {
  const { dying, health } = conditionOf(inspected, exitCode);
  if (!dying) return undefined;
  const log = await work.engine.lastLines(inspected.container, work.call.signal);
  return { status: StateCode.UpdateFailed, message: withLog(health.message, log, work.redact) };
}

export function updated(): ComponentResultSpec {
  return { status: StateCode.Updated, message: '' };
}

function gone(): ComponentResultSpec {
  return { status: StateCode.UpdateFailed, message: 'The container was removed right after its start.' };
}
