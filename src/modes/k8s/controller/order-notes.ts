import type { DeployableKind } from '@symphony/model';
import type { LaneKey, LaneOrder } from '../../../modules/queue/index.js';
import type { ApiClient } from '../client/index.js';
import { OrderAnnotation, typeOf, type CustomObject } from '../objects/custom-object.js';
import { requestOf } from '../objects/kubernetes-object-store.js';
import { unlessMissing } from '../objects/readable.js';
import type { Reflector } from '../reflector/index.js';

type Deployable = CustomObject<DeployableKind>;

export interface OrderNotesOptions {
  client: Pick<ApiClient, 'patch'>;
  /** The objects as this process sees them, by which its lanes go. */
  objects: { of(kind: DeployableKind): Pick<Reflector<Deployable>, 'byUid' | 'seen' | 'waitFor'> };
  /** Those that the engine serves. Undefined: all. */
  namespaces: readonly string[] | undefined;
  /** How long an answer waits for an object that this process has not seen yet. Default 10 000. */
  markMs?: number;
  /** The same for an order, which is good also when it is seen later. Default 1 000. */
  noteMs?: number;
}

/**
 * Writes orders of people onto their objects, from where whoever leads takes them. The lanes of this process know of them when that
 * is answered, so that whoever asks next is told of the order and not of what was before it: also right after the object was made.
 */
export class OrderNotes {
  constructor(private readonly options: OrderNotesOptions) {}

  async note(order: LaneOrder): Promise<void> {
    const { noteMs = 1_000 } = this.options;
    const written = await this.#annotate(order, { [OrderAnnotation.Reconcile]: requestOf(order.actor) });
    // It stands there, whenever it is seen.
    await this.#show(order.kind, written, noteMs).catch(() => undefined);
  }

  /**
   * @returns false when there is no such object, or this engine does not serve its namespace
   * @throws UnavailableError `CacheNotReady` when it is written, and this process does not see the object in time
   */
  async mark(key: LaneKey, suspended: boolean): Promise<boolean> {
    const { namespaces, markMs = 10_000 } = this.options;
    if (namespaces && !namespaces.includes(key.namespace)) return false;
    const annotations = { [OrderAnnotation.Suspend]: suspended ? 'true' : null };
    const written = await unlessMissing(this.#annotate(key, annotations));
    if (!written) return false;
    await this.#show(key.kind, written, markMs);
    return true;
  }

  #annotate(
    { kind, namespace, name }: LaneKey,
    annotations: Record<string, string | null>,
  ): Promise<Deployable> {
    const type = typeOf<DeployableKind>(kind);
    const patch = { kind: 'merge', body: { metadata: { annotations } } } as const;
    return this.options.client.patch(type, { namespace, name }, patch);
  }

  async #show(kind: DeployableKind, written: Deployable, deadlineMs: number): Promise<void> {
    const seen = this.options.objects.of(kind);
    const { uid = '', namespace, resourceVersion = '' } = written.metadata;
    if (seen.byUid(uid)) seen.seen(written);
    // A list that is under way may lack what is so new, which would then count as deleted: only the watch brings it in.
    else await seen.waitFor({ namespace, resourceVersion }, { deadlineMs });
  }
}
