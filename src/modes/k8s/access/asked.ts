import { DEFAULT_NAMESPACE, InvalidInputError, isPlainObject, type ObjectKind } from '@symphony/model';
import { generateInline } from '@symphony/planning';

/** What a request asks for, as its handler will read it. */
export interface Asked {
  params: Readonly<Record<string, string | undefined>>;
  query: Readonly<Record<string, string | undefined>>;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  /** Parsed. */
  body: unknown;
}

/** An object by its address. */
interface Address {
  namespace: string;
  name: string;
}

export function namespaceOf({ query }: Asked): string {
  return query['namespace'] || DEFAULT_NAMESPACE;
}

/** `true` in any case. What is neither yes nor no is refused by the handler. */
export function saysYes({ query }: Asked, name: string): boolean {
  return query[name]?.toLowerCase() === 'true';
}

/**
 * The objects that a write may be about. More than one when body and URL contradict each other: the handler refuses that, and if it
 * ever did not, the caller would need the right to either.
 * @throws InvalidInputError when the body names something that is no text
 */
export function addressesOfWrite(kind: ObjectKind, asked: Asked): Address[] {
  const metadata = isShorthand(kind, asked) ? {} : metadataOf(asked.body);
  const names = agreed(asked.params['name'], textAt(metadata, 'name'), '');
  const namespaces = agreed(asked.query['namespace'], textAt(metadata, 'namespace'), DEFAULT_NAMESPACE);
  return namespaces.flatMap((namespace) => names.map((name) => ({ namespace, name })));
}

/**
 * What a posted deployment is known by, read by the very function that its handler uses.
 * @throws InvalidInputError when there is no deployment in the body
 */
export function addressOfInline({ query, body }: Asked): Address {
  // As a removal, which takes more: whether it can be deployed is for the handler to say.
  const { owner } = generateInline({ wire: body, removal: true, namespace: query['namespace'] });
  return { namespace: owner.namespace, name: owner.name };
}

/** An instance that is described by the query: its body is not looked at, so it must not say whose rights are asked for. */
function isShorthand(kind: ObjectKind, { query }: Asked): boolean {
  return kind === 'Instance' && !!(query['solution'] || query['target'] || query['target-selector']);
}

function metadataOf(body: unknown): object {
  const metadata = isPlainObject(body) && Object.hasOwn(body, 'metadata') ? body['metadata'] : undefined;
  return isPlainObject(metadata) ? metadata : {};
}

function textAt(metadata: object, key: string): string | undefined {
  const value: unknown = Object.hasOwn(metadata, key) ? Reflect.get(metadata, key) : undefined;
  if (value === undefined || value === null || typeof value === 'string') return value || undefined;
  const message = 'must be a text';
  throw new InvalidInputError(`The input is not valid: metadata.${key} ${message}.`, [
    { path: `metadata.${key}`, message },
  ]);
}

function agreed(outside: string | undefined, inside: string | undefined, otherwise: string): string[] {
  const named = [outside, inside].filter((text) => !!text).map((text) => text ?? '');
  return named.length === 0 ? [otherwise] : [...new Set(named)];
}
