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

/** The writes of ours that are under way onto one object, which may be several: an outcome, and that its runs are suspended. */
interface UnderWay {
  writes: number;
  /** The versions that they have made. */
  readonly made: Set<string | undefined>;
  /** What was seen since the first of them began. */
  readonly suspects: { kind: DeployableKind; after: Deployable }[];
}

/**
 * Notices that somebody else than the engine has changed, or taken away, what the engine says in a status, and orders one look at the
 * object, which says again what is so. Without it, that would wait for the next periodic run, which some objects never have.
 *
 * Whose a change is, only its version tells: what is seen while writes of ours are under way is judged when the last is answered. A
 * write whose answer got lost may be taken for somebody else's, which costs that one look.
 */
export class StatusEdits {
  /** By uid. */
  readonly #underWay = new Map<string, UnderWay>();
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
    const underWay = this.#underWay.get(uid) ?? { writes: 0, made: new Set(), suspects: [] };
    this.#underWay.set(uid, underWay);
    underWay.writes += 1;
    try {
      const written = await write();
      underWay.made.add(written.metadata.resourceVersion);
      seen(written);
    } finally {
      underWay.writes -= 1;
      if (underWay.writes === 0) this.#judge(uid, underWay);
    }
  }

  #judge(uid: string, { made, suspects }: UnderWay): void {
    this.#underWay.delete(uid);
    if (!this.options.lanes().leading) return;
    for (const { kind, after } of suspects) {
      if (!made.has(after.metadata.resourceVersion)) this.#edited(kind, after);
    }
  }

  #changed(kind: DeployableKind, { before, after }: Change<Deployable>): void {
    const { uid = '' } = after?.metadata ?? {};
    if (!before || !after || before.metadata.uid !== uid) return;
    if (!this.options.lanes().leading || tellsTheSame(before.status ?? {}, after.status ?? {})) return;
    const underWay = this.#underWay.get(uid);
    if (underWay) underWay.suspects.push({ kind, after });
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
