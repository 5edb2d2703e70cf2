import type { DeployableKind, DeploymentOwner } from '@symphony/model';
import type { FanOut, LaneOrder } from '../../../modules/queue/index.js';
import type { ObjectReflectors } from '../objects/object-reflectors.js';

export interface OwnOrdersOptions {
  objects: ObjectReflectors;
  lanes: () => {
    readonly leading: boolean;
    take(orders: readonly LaneOrder[]): Promise<void>;
    insertFanOuts(fanOuts: readonly FanOut[]): void;
  };
}

/** What the leader orders for itself, because of what it has found out. On a replica that does not lead nothing is ordered. */
export class OwnOrders {
  constructor(private readonly options: OwnOrdersOptions) {}

  /** A ledger of this owner says what nobody knows to be so. */
  look({ kind, namespace, name, uid }: DeploymentOwner & { kind: DeployableKind }): void {
    const object = this.options.objects.of<DeployableKind>(kind).byUid(uid);
    if (!object) return;
    const { generation = 1, deletionTimestamp } = object.metadata;
    const action = deletionTimestamp === undefined ? 'update' : 'delete';
    // As a retry: also where the desired state is that of the last success, the targets are looked at.
    this.#take({ kind, namespace, name, generation, action, cause: 'retry' });
  }

  /** The target answers again: whoever waits for it runs now. */
  recovered(uid: string): void {
    const lanes = this.options.lanes();
    const target = this.options.objects.targets.byUid(uid);
    if (!target || !lanes.leading) return;
    const { namespace = '', name } = target.metadata;
    const properties = target.spec?.properties ?? {};
    lanes.insertFanOuts([{ kind: 'Target', namespace, name, uid, propertiesAfter: properties }]);
  }

  /** Nothing is on the target any more: if it is to go, it can. */
  wasLeft(uid: string): void {
    const target = this.options.objects.targets.byUid(uid);
    if (target?.metadata.deletionTimestamp === undefined) return;
    const { namespace = '', name, generation = 1 } = target.metadata;
    this.#take({ kind: 'Target', namespace, name, generation, action: 'delete', cause: 'dependent' });
  }

  #take(order: LaneOrder): void {
    // A replica that leads no more refuses it, and its successor finds out for itself.
    this.options
      .lanes()
      .take([order])
      .catch(() => undefined);
  }
}
