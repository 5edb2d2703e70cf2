import { InvalidInputError } from '@symphony/model';
import type { ObjectRef, ResourceType } from './kube-object.js';

/** The path of a collection: `/apis/<group>/<version>/namespaces/<namespace>/<plural>`; without a namespace, that of all. */
export function collectionPath(type: ResourceType, namespace: string | undefined): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = type.namespaced && namespace !== undefined ? `/namespaces/${segment(namespace)}` : '';
  return `${root}${scope}/${type.plural}`;
}

/** @throws InvalidInputError when the name or namespace is missing or cannot be part of a path */
export function objectPath(type: ResourceType, ref: ObjectRef, subresource?: string): string {
  if (type.namespaced && !ref.namespace) {
    throw new InvalidInputError(
      `${type.kind} '${ref.name}' needs a namespace.`,
      [{ path: 'metadata.namespace', message: 'is required' }],
      'InvalidName',
    );
  }
  const below = subresource === undefined ? '' : `/${subresource}`;
  return `${collectionPath(type, ref.namespace)}/${segment(ref.name)}${below}`;
}

/**
 * Kubernetes itself refuses these as names. They are refused here because they would make the path one of another object
 * or of a whole collection: an empty name turns "delete this one" into "delete all".
 */
function segment(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/%]/.test(name)) {
    throw new InvalidInputError(
      `'${name}' cannot name an object: use lower case letters, digits, '-' and '.'.`,
      [{ path: 'metadata.name', message: 'is no name of an object' }],
      'InvalidName',
    );
  }
  return encodeURIComponent(name);
}

/** `?a=b` of what is set; empty when nothing is. */
export function queryOf(parameters: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    if (value !== undefined && value !== '') query.set(key, String(value));
  }
  return query.size > 0 ? `?${query.toString()}` : '';
}
