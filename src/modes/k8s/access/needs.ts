import { typeOf } from '../objects/custom-object.js';
import type { ObjectKind } from '@symphony/model';

export type NeedVerb = 'get' | 'list' | 'create' | 'update' | 'delete';

/** A right to objects, as RBAC grants it. */
export interface ResourceNeed {
  verb: NeedVerb;
  group: string;
  resource: string;
  subresource?: string;
  /** Undefined: in all namespaces. */
  namespace: string | undefined;
  /** Undefined: to any object of the namespace. */
  name?: string;
}

/** A right to something that is no object, such as `/metrics`. */
interface PathNeed {
  verb: 'get';
  path: string;
}

/** One thing that a caller must be allowed to do for a request to be let through. */
export type Need = ResourceNeed | PathNeed;

/** What of an object is meant; see {@link ResourceNeed}. */
type Scope = Pick<ResourceNeed, 'namespace' | 'name' | 'subresource'>;

export function need(verb: NeedVerb, kind: ObjectKind, scope: Scope): ResourceNeed {
  const { group, plural } = typeOf(kind);
  return { verb, group, resource: plural, ...scope };
}

/** For example `update instances.solution.symphony "web" in namespace "shop"`. */
export function describeNeed(asked: Need): string {
  if ('path' in asked) return `${asked.verb} ${asked.path}`;
  const { verb, group, resource, subresource, namespace, name } = asked;
  const what = subresource === undefined ? resource : `${resource}/${subresource}`;
  const where = namespace === undefined ? 'in all namespaces' : `in namespace "${namespace}"`;
  return `${verb} ${what}.${group}${name === undefined ? '' : ` "${name}"`} ${where}`;
}
