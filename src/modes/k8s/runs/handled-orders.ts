import { hashOf } from '@symphony/model';
import type { RunResult } from '../../../modules/queue/index.js';
import type { ResourceStatus } from '../crds/index.js';
import { OrderAnnotation, type CustomObject } from '../objects/custom-object.js';

/** Annotations of Symphony's that order a run by a new value, as in its own operator. */
const REQUESTS = [OrderAnnotation.Reconcile, 'management.azure.com/operationId'] as const;

/** In UTF-16 code units; more than an id and the name of any account. An annotation may have 256 KiB, as much as a whole status. */
const MAX_REQUEST = 512;

/**
 * What marks a request as handled: itself, or the hash of a long one. The mark of a mark is the same.
 * @param request undefined where somebody has edited the status by hand
 */
export function markOf(request = ''): string {
  return request.length <= MAX_REQUEST ? request : `sha256:${hashOf(request)}`;
}

/** The orders that stand on an object and are not marked as handled in its status, by annotation. */
export function openOrders({ metadata, status }: CustomObject): Map<string, string> {
  const handled = new Map((status?.orders ?? []).map(({ order, request }) => [order, markOf(request)]));
  const open = new Map<string, string>();
  for (const order of REQUESTS) {
    const request = metadata.annotations?.[order];
    if (request === undefined || request === '') continue;
    if (handled.get(order) !== markOf(request)) open.set(order, request);
  }
  return open;
}

/** Who gave an order through REST; undefined when it was given in another way. No more than `MAX_REQUEST` of it. */
export function actorOf(request: string): string | undefined {
  if (request.length > MAX_REQUEST) return undefined;
  const at = request.indexOf('/');
  return at < 0 ? undefined : request.slice(at + 1) || undefined;
}

/**
 * Which orders a run has carried out: those that stood on its object when the run read it. They are marked in the status with
 * its outcome; until then, whoever leads finds them open.
 */
export class HandledOrders {
  readonly #read = new Map<string, CustomObject>();

  /** A run reads its object. */
  read(object: CustomObject): void {
    const { uid } = object.metadata;
    if (uid === undefined) return;
    if (openOrders(object).size > 0) this.#read.set(uid, object);
    else this.#read.delete(uid);
  }

  /** The orders of a status after a run, which are stored by their marks; undefined when nothing was ordered. */
  handledBy(uid: string, result: RunResult): ResourceStatus['orders'] | undefined {
    const object = this.#read.get(uid);
    if (!object || result === 'yielded') return undefined;
    const open = openOrders(object);
    const handledAt = new Date().toISOString();
    const others = (object.status?.orders ?? []).filter(({ order }) => !open.has(order));
    return [...others, ...[...open].map(([order, request]) => ({ order, request, handledAt }))];
  }

  /** The status that marks them is written; until then it may have to be written once more. */
  marked(uid: string): void {
    this.#read.delete(uid);
  }
}
