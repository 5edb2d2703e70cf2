import { StateCode, type ComponentResultSpec } from '@symphony/model';
import { changedFields } from '@symphony/provider-kit';
import { conditionOf } from './condition.js';
import { creationBody, digestOf } from './creation.js';
import type { Declaration } from './declaration.js';
import { EngineError } from './engine/connection.js';
import type { Inspected } from './engine/engine.js';
import { provideImage } from './images.js';
import { hasLabels, identityLabels, LABEL, ownerText } from './labels.js';
import { containerName, readBack } from './read-back.js';
import { replace } from './replace.js';
import {
  create,
  failureOf,
  ownContainers,
  removeAll,
  start,
  updated,
  type Wanted,
  type Work,
} from './work.js';

/**
 * Makes the one container of a component be as declared. It looks at what is there each time, so it can begin anywhere an
 * earlier attempt was cut off: containers of this component are known by their labels, whatever they are called.
 */
export async function converge(work: Work, declared: Declaration): Promise<ComponentResultSpec> {
  const { engine, call, config, component } = work;
  const { signal } = call;
  const taken = await ownerOfName(work, declared.name);
  if (taken) return taken;
  const wanted: Wanted = { declared, body: creationBody(call, component, declared) };
  const image =
    declared.pull === 'Always' ? await provideImage(engine, declared, config.login, signal) : undefined;
  const present = await ownContainers(work);
  const fit = present.find((item) => isFit(work, wanted, item, image));
  if (fit) return keep(work, wanted, fit, without(present, fit));
  if (image === undefined) await provideImage(engine, declared, config.login, signal);
  const current =
    present.find((item) => containerName(item.container) === declared.name) ?? runningOne(present);
  if (current) {
    await removeAll(work, without(present, current));
    return replace(work, wanted, current);
  }
  return createFirst(work, wanted);
}

/** Removes whatever there is of a component. */
export async function removeComponent(work: Work): Promise<ComponentResultSpec> {
  await removeAll(work, await ownContainers(work));
  return { status: StateCode.Deleted, message: '' };
}

async function createFirst(work: Work, wanted: Wanted): Promise<ComponentResultSpec> {
  const { engine, call, doings } = work;
  const { name } = wanted.declared;
  let id: string;
  try {
    id = await create(work, wanted, name);
  } catch (error) {
    // Somebody was faster since the look at the name.
    const taken = error instanceof EngineError && error.status === 409 && (await ownerOfName(work, name));
    if (taken) return taken;
    throw error;
  }
  try {
    return (await start(work, id)) ?? updated();
  } catch (error) {
    if (error instanceof EngineError) await doings.leaving(id, () => engine.remove(id, call.signal));
    throw error;
  }
}

/** It is as declared, but may be stopped, or still have the name of an interrupted replacement. */
async function keep(
  work: Work,
  { declared }: Wanted,
  fit: Inspected,
  others: readonly Inspected[],
): Promise<ComponentResultSpec> {
  const { engine, call, doings } = work;
  const { Id } = fit.container;
  await removeAll(work, others);
  if (containerName(fit.container) !== declared.name)
    await doings.renaming(Id, declared.name, engine, call.signal);
  const { stopped } = conditionOf(fit);
  if (stopped === undefined) return (await failureOf(work, fit)) ?? updated();
  if (stopped === 'paused') {
    await engine.unpause(Id, call.signal);
    return updated();
  }
  return (await start(work, Id)) ?? updated();
}

/** As declared in everything but its name and whether it runs. What was made for a replacement counts once it ran. */
function isFit(
  { rule, component }: Work,
  { declared, body }: Wanted,
  { container }: Inspected,
  image: string | undefined,
): boolean {
  const status = container.State?.Status;
  const named = containerName(container) === declared.name;
  if (status === 'dead' || (!named && status !== 'running')) return false;
  if (container.Config?.Labels?.[LABEL.digest] !== digestOf(body)) return false;
  if (image !== undefined && container.Image !== image) return false;
  const diffs = changedFields(rule, readBack(container, component), component);
  return diffs.every(({ path }) => path === 'properties["container.name"]');
}

/** @returns a refusal when the name is held by somebody else's container */
async function ownerOfName(work: Work, name: string): Promise<ComponentResultSpec | undefined> {
  const { engine, call, component } = work;
  const inspected = await engine.inspect(name, call.signal);
  if (!inspected || containerName(inspected.container) !== name) return undefined;
  const { container } = inspected;
  if (hasLabels(container.Config?.Labels, identityLabels(call, component.name))) return undefined;
  return {
    status: 409,
    message:
      `The name '${name}' is taken by the container ${container.Id.slice(0, 12)}, which ${ownerText(container)}. ` +
      "It was left alone. Rename the component, set its property 'container.name', or remove that container.",
  };
}

function runningOne(present: readonly Inspected[]): Inspected | undefined {
  return present.find(({ container }) => container.State?.Status === 'running') ?? present[0];
}

function without(present: readonly Inspected[], one: Inspected): Inspected[] {
  return present.filter((item) => item !== one);
}
