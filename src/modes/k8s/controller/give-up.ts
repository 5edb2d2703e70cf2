import type { DeployableKind, DeploymentOwner, LedgerEntry } from '@symphony/model';
import type { KubernetesLedger } from '../ledger/kubernetes-ledger.js';
import { lineOf, type LedgerReflector } from '../ledger/ledger-object.js';
import type { Reattachment } from '../ledger/reattach.js';
import { DELETION_POLICY } from '../objects/kubernetes-object-store.js';
import type { CustomObject } from '../objects/custom-object.js';
import type { Finalizers } from '../objects/finalizers.js';
import type { OrderedLanes } from './ordered-lanes.js';

export interface GiveUpParts {
  lanes: Pick<OrderedLanes, 'leading' | 'close'>;
  ledger: Pick<KubernetesLedger, 'releaseOwner' | 'releaseOn'>;
  ledgers: Pick<LedgerReflector, 'byIndex'>;
  reattachment: Pick<Reattachment, 'straysOf'>;
  finalizers: Pick<Finalizers, 'remove'>;
  /** Orders a run that looks at what is there. */
  look(kind: DeployableKind, namespace: string, name: string): Promise<void>;
  /** Tries until it is done or the term is over. */
  untilDone(work: () => Promise<void>): void;
  log: { log(message: object): void };
}

type StoredOwner = DeploymentOwner & { kind: DeployableKind };

/**
 * Gives up objects that are being deleted with `symphony/deletion-policy: orphan`: what was deployed for them stays, and nobody
 * tries to remove it any more. Nothing of such an object runs from then on; what its run is just calling goes on till its deadline,
 * and whatever has the name next waits for that.
 */
export class GiveUp {
  /** Objects by uid for which it has begun in this term: each of their changes would begin it once more. */
  readonly #begun = new Set<string>();

  constructor(private readonly parts: GiveUpParts) {}

  /** Of an object that was seen. */
  ifAsked(kind: DeployableKind, object: CustomObject): void {
    const { deletionTimestamp, annotations, namespace = '', name, uid = '' } = object.metadata;
    if (deletionTimestamp === undefined || annotations?.[DELETION_POLICY] !== 'orphan') return;
    const { lanes, finalizers, log } = this.parts;
    if (!lanes.leading || this.#begun.has(uid)) return;
    this.#begun.add(uid);
    // From now on a run under way can write nothing more.
    lanes.close({ kind, namespace, name });
    const others = new Map<string, StoredOwner>();
    this.parts.untilDone(async () => {
      const left = await this.#releaseOf({ kind, namespace, name, uid });
      const letGo = (): Promise<void> => finalizers.remove(kind, { namespace, name }, uid);
      if (kind === 'Target') left.push(...(await this.#giveUpOn(uid, others, letGo)));
      else await letGo();
      log.log({
        msg: 'An object was orphaned as asked',
        object: `${kind}/${namespace}/${name}`,
        left: left.map(lineOf),
      });
    });
  }

  /** It has gone. */
  forget(uid: string): void {
    this.#begun.delete(uid);
  }

  /** The term is over: the next leader begins anew. */
  clear(): void {
    this.#begun.clear();
  }

  async #releaseOf(owner: StoredOwner): Promise<LedgerEntry[]> {
    const { ledger, reattachment } = this.parts;
    const uids = [owner.uid, ...reattachment.straysOf(owner).map(({ spec }) => spec.owner.uid)];
    return (await Promise.all(uids.map((uid) => ledger.releaseOwner(uid)))).flat();
  }

  /**
   * What others have on a target that nobody can reach any more: they would try to remove it for ever. They keep their lanes, since
   * their runs have to do elsewhere as well; the ledger takes nothing on this target from these any more. They are ordered, as they
   * may be waiting to try again.
   * @param others collects them, over all attempts
   */
  async #giveUpOn(
    targetUid: string,
    others: Map<string, StoredOwner>,
    letGo: () => Promise<void>,
  ): Promise<LedgerEntry[]> {
    const { ledger, ledgers } = this.parts;
    for (const { spec } of ledgers.byIndex('target', targetUid)) {
      const { owner } = spec;
      if (owner.kind !== 'Inline') others.set(owner.uid, { ...owner, kind: owner.kind });
    }
    const left = await ledger.releaseOn(targetUid, letGo);
    for (const { kind, namespace, name } of others.values()) await this.parts.look(kind, namespace, name);
    return left;
  }
}
