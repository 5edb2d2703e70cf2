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
  await work.engine.start(id, work.call.signal);
  await settle(work, id);
  const inspected = await work.engine.inspect(id, work.call.signal);
  return inspected ? failureOf(work, inspected) : gone();
}

/** What is to be said of a container that keeps dying; undefined when it does not. */
export async function failureOf(work: Work, inspected: Inspected): Promise<ComponentResultSpec | undefined> {
  const { dying, health } = conditionOf(inspected);
  if (!dying) return undefined;
  const log = await work.engine.lastLines(inspected.container, work.call.signal);
  return { status: StateCode.UpdateFailed, message: withLog(health.message, log, work.redact) };
}

export function updated(): ComponentResultSpec {
  return { status: StateCode.Updated, message: '' };
}

/** Ends as soon as the container stops, at the latest after the grace time. */
async function settle({ engine, config, call }: Work, id: string): Promise<void> {
  if (config.startGraceMs === 0) return;
  const signal = AbortSignal.any([call.signal, AbortSignal.timeout(config.startGraceMs)]);
  try {
    await engine.untilStopped(id, signal);
  } catch (error) {
    if (call.signal.aborted || !signal.aborted) throw error;
  }
}

function gone(): ComponentResultSpec {
  return { status: StateCode.UpdateFailed, message: 'The container was removed right after its start.' };
}
