import { hashOf } from '@symphony/model';
import type { ProviderCall } from '@symphony/provider-kit';
import type { ContainerInspect } from './engine/types.js';

/** Labels that begin so are the engine's own. */
export const LABEL_PREFIX = 'symphony.';

export const LABEL = {
  ownerUid: 'symphony.owner-uid',
  /** For people: `Instance default/shop`. */
  owner: 'symphony.owner',
  component: 'symphony.component',
  targetUid: 'symphony.target-uid',
  /** For people. */
  target: 'symphony.target',
  /** Digest of what the container was made from. */
  digest: 'symphony.digest',
} as const;

type Place = Pick<ProviderCall, 'owner' | 'target'>;

/** What all containers of an owner on a target have in common. */
export function placeLabels({ owner, target }: Place): Record<string, string> {
  return { [LABEL.ownerUid]: owner.uid, [LABEL.targetUid]: target.uid };
}

/** What makes a container this one's. */
export function identityLabels(place: Place, component: string): Record<string, string> {
  return { ...placeLabels(place), [LABEL.component]: component };
}

/** All labels of a container that is made from `body`. */
export function ownLabels(place: Place, component: string, body: object): Record<string, string> {
  const { kind, namespace, name } = place.owner;
  return {
    ...identityLabels(place, component),
    [LABEL.owner]: `${kind} ${namespace}/${name}`,
    [LABEL.target]: place.target.name,
    [LABEL.digest]: hashOf(body),
  };
}

export function hasLabels(
  found: Readonly<Record<string, string>> | null | undefined,
  wanted: Readonly<Record<string, string>>,
): boolean {
  return Object.entries(wanted).every(([key, value]) => found?.[key] === value);
}

/** Whom a container belongs to, for a message about a name that is taken. */
export function ownerText(container: ContainerInspect): string {
  const labels = container.Config?.Labels ?? {};
  const uid = labels[LABEL.ownerUid];
  if (uid === undefined) return 'was not made by this engine';
  const component = labels[LABEL.component] ?? '';
  const target = labels[LABEL.target] ?? '';
  return `belongs to ${labels[LABEL.owner] ?? 'an unknown owner'} (uid ${uid}), component '${component}', through target '${target}'`;
}
