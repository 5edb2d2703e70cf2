import { hashOf, type ComponentSpec } from '@symphony/model';
import type { ProviderCall } from '@symphony/provider-kit';
import type { Declaration } from './declaration.js';
import type { CreationBody } from './engine/types.js';
import { LABEL, ownLabels } from './labels.js';

/** What the engine is told to make; equal declarations give equal bodies, whatever the container is called. */
export function creationBody(
  place: Pick<ProviderCall, 'owner' | 'target'>,
  component: Pick<ComponentSpec, 'name'>,
  declared: Declaration,
): CreationBody {
  const { commands, args, stopTimeout, networks, ports } = declared;
  const [network] = networks;
  const body = {
    Image: declared.image,
    Env: declared.env,
    ...(commands ? { Entrypoint: commands } : {}),
    ...(args ? { Cmd: args } : {}),
    ...(stopTimeout === undefined ? {} : { StopTimeout: stopTimeout }),
    ExposedPorts: Object.fromEntries(Object.keys(ports).map((port) => [port, {}])),
    HostConfig: {
      ...declared.resources,
      PortBindings: ports,
      RestartPolicy: declared.restart,
      Mounts: declared.mounts,
      NetworkMode: network ?? 'default',
    },
  };
  // The engine takes one network here; the others are connected before the start, and count in the digest.
  const digest = { ...body, labels: declared.labels, networks };
  return { ...body, Labels: { ...declared.labels, ...ownLabels(place, component.name, digest) } };
}

/** Tells whether two bodies make the same container. */
export function digestOf(body: CreationBody): string {
  return body.Labels[LABEL.digest] ?? hashOf(body);
}
