import {
  BODY_CLASSES,
  type BodyOf,
  checkName,
  checkNamespace,
  DEFAULT_NAMESPACE,
  fieldsOf,
  InvalidInputError,
  isPlainObject,
  type ObjectKind,
  parseAs,
  type SpecByKind,
} from '@symphony/model';
import type { ObjectKey } from './object-store.js';

/** A body whose spec is there. */
export type ReadBody<K extends ObjectKind> = BodyOf<K> & { spec: SpecByKind[K] };

/**
 * Reads the body of a write: `metadata` and `spec`; `apiVersion`, `kind` and `status` may be there.
 * @throws InvalidInputError with every problem and its path
 */
export function readBody<K extends ObjectKind>(kind: K, raw: unknown): ReadBody<K> {
  if (raw === undefined || raw === null) {
    throw new InvalidInputError(
      `The request has no body. Send the ${kind} as JSON or YAML: {"metadata": {…}, "spec": {…}}.`,
      [{ path: '', message: 'is empty' }],
      'BodyMissing',
    );
  }
  if (isPlainObject(raw)) refuseBareSpec(kind, raw);
  const body = parseAs<BodyOf<K>>(BODY_CLASSES[kind], raw);
  if (body.kind !== undefined && body.kind !== '' && body.kind !== kind) {
    const message = `must be ${kind} on this route, but is ${body.kind}`;
    throw new InvalidInputError(
      `The body is not a ${kind}: kind ${message}.`,
      [{ path: 'kind', message }],
      'WrongKind',
    );
  }
  const etag: unknown = body.metadata?.etag;
  if (etag !== undefined && typeof etag !== 'string' && typeof etag !== 'number') {
    const message = 'must be the version as text or number';
    throw new InvalidInputError(`The input is not valid: metadata.etag ${message}.`, [
      { path: 'metadata.etag', message },
    ]);
  }
  if (body.spec === undefined) {
    const message = 'is required; it may be {} where nothing is to be said';
    throw new InvalidInputError(`The input is not valid: spec ${message}.`, [{ path: 'spec', message }]);
  }
  return body as ReadBody<K>;
}

/** Old documentation shows the spec alone; its keys would otherwise each be an unknown field. */
function refuseBareSpec(kind: ObjectKind, raw: Record<string, unknown>): void {
  if ('spec' in raw || 'metadata' in raw) return;
  const spec = fieldsOf(BODY_CLASSES[kind]).find((field) => field.name === 'spec');
  const known = spec?.type ? fieldsOf(spec.type()).map((field) => field.name) : [];
  if (!Object.keys(raw).some((key) => known.includes(key))) return;
  const message = 'is a bare spec; wrap it: {"metadata": {"name": "…"}, "spec": {…}}';
  throw new InvalidInputError(`The body ${message}.`, [{ path: '', message }], 'BareSpec');
}

/**
 * The object that a write is for: name from the URL or the body, namespace from the body, else the query, else
 * `default`.
 * @throws InvalidInputError when they differ, or are no possible names
 */
export function addressOfWrite<K extends ObjectKind>(
  kind: K,
  url: { name?: string; namespace?: string },
  metadata: { name?: string; namespace?: string } | undefined,
): ObjectKey<K> {
  const name = agreed('name', url.name, metadata?.name, 'the URL');
  const namespace = agreed('namespace', url.namespace, metadata?.namespace, 'the query') ?? DEFAULT_NAMESPACE;
  if (name === undefined) {
    const message = 'is missing; give it in the URL or here';
    throw new InvalidInputError(`The name ${message}.`, [{ path: 'metadata.name', message }], 'InvalidName');
  }
  checkName(name);
  checkNamespace(namespace);
  return { kind, namespace, name };
}

function agreed(
  field: 'name' | 'namespace',
  outside: string | undefined,
  inside: string | undefined,
  where: string,
): string | undefined {
  if (!outside || !inside || outside === inside) return inside || outside || undefined;
  const message = `is ${JSON.stringify(inside)}, but ${where} says ${JSON.stringify(outside)}; leave out one, or make them equal`;
  throw new InvalidInputError(
    `The ${field} in the body ${message}.`,
    [{ path: `metadata.${field}`, message }],
    field === 'name' ? 'NameMismatch' : 'NamespaceMismatch',
  );
}
