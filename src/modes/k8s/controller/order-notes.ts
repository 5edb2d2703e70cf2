import type { DeployableKind } from '@symphony/model';
import type { LaneKey, LaneOrder } from '../../../modules/queue/index.js';
import type { ApiClient } from '../client/index.js';
import { OrderAnnotation, typeOf } from '../objects/custom-object.js';
import { requestOf } from '../objects/kubernetes-object-store.js';
import { unlessMissing } from '../objects/readable.js';

/** Writes orders of people onto their objects, from where whoever leads takes them. */
export class OrderNotes {
  constructor(private readonly client: Pick<ApiClient, 'patch'>) {}

  async note(order: LaneOrder): Promise<void> {
    await this.#annotate(order, { [OrderAnnotation.Reconcile]: requestOf(order.actor) });
  }

  /** @returns false when there is no such object */
  async mark(key: LaneKey, suspended: boolean): Promise<boolean> {
    const written = this.#annotate(key, { [OrderAnnotation.Suspend]: suspended ? 'true' : null });
    return (await unlessMissing(written)) !== undefined;
  }

  #annotate({ kind, namespace, name }: LaneKey, annotations: Record<string, string | null>) {
    const type = typeOf<DeployableKind>(kind);
    return this.client.patch(
      type,
      { namespace, name },
      { kind: 'merge', body: { metadata: { annotations } } },
    );
  }
}
