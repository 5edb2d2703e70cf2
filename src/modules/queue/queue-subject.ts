import { InvalidInputError, TARGET_RUNTIME_PREFIX, type DeployableKind } from '@symphony/model';
import { flagOf, namespaceOf, wordOf, wrongQuery, type Query } from './query.js';

export const OBJECT_TYPES = ['instance', 'target', 'deployment'] as const;

/** What `instance=` and its companions name. */
export interface QueueSubject {
  namespace: string;
  /** A name, `name-guid`, or `target-runtime-<target>`. */
  instance: string;
  /** The name is a target's, with or without the prefix. */
  target: boolean;
}

/** Longer than any name with a guid behind it. */
const MAX_INSTANCE = 320;
const INSTANCE = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;
const WITH_GUID = /^(.+)-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** An object that a queue request may mean. */
export interface QueueAddress {
  kind: DeployableKind;
  namespace: string;
  name: string;
}

/** @throws InvalidInputError when nothing is named */
export function subjectOf(query: Query): QueueSubject {
  const instance = query['instance'] || query['name'];
  if (!instance) throw wrongQuery('instance', 'must be given: the name of the instance');
  return { namespace: namespaceOf(query), instance, target: typeOf(query) === 'target' };
}

export function typeOf(query: Query): (typeof OBJECT_TYPES)[number] {
  const type = wordOf(query, 'objectType', OBJECT_TYPES) ?? 'instance';
  return flagOf(query, 'target') ? 'target' : type;
}

/** The objects that the texts may mean, the most literal first. */
export function addressesOf(
  { namespace, instance, target }: QueueSubject,
  fallback?: string,
): QueueAddress[] {
  const texts = [instance, ...(fallback ? [fallback] : [])];
  const names = texts.flatMap((text) => [text, ...withoutGuid(text)]);
  names.forEach((name) => checkInstance(name));
  return names.flatMap((name) => {
    const targetName = name.startsWith(TARGET_RUNTIME_PREFIX) ? name.slice(TARGET_RUNTIME_PREFIX.length) : '';
    const asTarget: QueueAddress[] = targetName ? [{ kind: 'Target', namespace, name: targetName }] : [];
    if (target) return [...asTarget, { kind: 'Target', namespace, name }];
    return [...asTarget, { kind: 'Instance', namespace, name }];
  });
}

export function withoutGuid(text: string): string[] {
  const name = WITH_GUID.exec(text)?.[1];
  return name === undefined ? [] : [name];
}

function checkInstance(text: string): void {
  if (text.length <= MAX_INSTANCE && INSTANCE.test(text)) return;
  const message = 'must be a name, a name and guid, or target-runtime-<target>';
  throw new InvalidInputError(`The query parameter instance ${message}.`, [{ path: 'instance', message }]);
}
