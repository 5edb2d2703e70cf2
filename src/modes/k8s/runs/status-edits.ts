import type { DeployableKind } from '@symphony/model';
import type { LaneOrder } from '../../../modules/queue/index.js';
import { toStored, type CustomObject } from '../objects/custom-object.js';
import type { Change } from '../reflector/index.js';
import { tellsTheSame } from './status-document.js';

type Deployable = CustomObject<DeployableKind>;

export interface StatusEditsOptions {
  objects: {
    of(kind: DeployableKind): { onChange(listener: (change: Change<Deployable>) => void): () => void };
  };
  lanes: () => { readonly leading: boolean; take(orders: readonly LaneOrder[]): Promise<void> };
  log: { info(fields: object): void };
  /** Monotonic, in milliseconds. */
  now?: () => number;
}

/** Somebody who edits a status again and again costs one run in this time. */
const PAUSE_MS = 10_000;
const KINDS: readonly DeployableKind[] = ['Target', 'Instance'];
/** From so many on, those whose pause is over are forgotten. */
const MANY = 1_000;

/**
 * Notices that somebody else than the engine has changed, or taken away, what the engine says in a status, and orders one look at the
 * object, which says again what is so. Without it, that would wait for the next periodic run, which some objects never have.
 *
 * Whose a change is, only its version tells: what is seen while a write of ours is under way is judged when that is answered. A
 * write whose answer got lost may be taken for somebody else's, which costs that one look.
 */
export class StatusEdits {
  /** What was seen since a write of ours began, by uid. */
  readonly #underWay = new Map<string, { kind: DeployableKind; after: Deployable }[]>();
  /** When the look of an object was or is due, by uid. */
  readonly #looks = new Map<string, number>();

  constructor(private readonly options: StatusEditsOptions) {
    for (const kind of KINDS) options.objects.of(kind).onChange((change) => this.#changed(kind, change));
  }

  /**
   * Carries out a write of ours.
   * @param seen takes its answer over into what this process sees
   */
  async ours(
    uid: string,
    write: () => Promise<Deployable>,
    seen: (written: Deployable) => void,
  ): Promise<void> {
    const suspects: { kind: DeployableKind; after: Deployable }[] = [];
    this.#underWay.set(uid, suspects);
    try {
      const written = await write();
      seen(written);
      for (const { kind, after } of suspects) {
        if (after.metadata.resourceVersion !== written.metadata.resourceVersion) this.#edited(kind, after);
      }
    } finally {
      this.#underWay.delete(uid);
    }
  }

  #changed(kind: DeployableKind, { before, after }: Change<Deployable>): void {
    const { uid = '' } = after?.metadata ?? {};
    if (!before || !after || before.metadata.uid !== uid) return;
    if (!this.options.lanes().leading || tellsTheSame(before.status ?? {}, after.status ?? {})) return;
    const suspects = this.#underWay.get(uid);
    if (suspects) suspects.push({ kind, after });
    else this.#edited(kind, after);
  }

  #edited(kind: DeployableKind, object: Deployable): void {
    const { lanes, log, now = () => performance.now() } = this.options;
    const { uid, namespace, name, generation, deletionTimestamp } = toStored(kind, object);
    const at = now();
    const last = this.#looks.get(uid) ?? -Infinity;
    // The look that is ordered already will see this as well.
    if (last > at) return;
    const delayMs = Math.max(0, last + PAUSE_MS - at);
    this.#looks.set(uid, at + delayMs);
    this.#forget(at);
    const action = deletionTimestamp === undefined ? 'update' : 'delete';
    lanes()
      .take([{ kind, namespace, name, generation, action, cause: 'retry', delayMs }])
      .catch(() => undefined);
    log.info({
      msg: 'Somebody else has changed a status: it is looked at again',
      object: `${kind}/${namespace}/${name}`,
    });
  }

  #forget(at: number): void {
    if (this.#looks.size < MANY) return;
    for (const [uid, look] of this.#looks) if (look + PAUSE_MS < at) this.#looks.delete(uid);
  }
}
