import type { DeploymentOwner, LedgerEntry } from '@symphony/model';
import type { Claim, Fence, LaneKey, RunControl } from '../../src/modules/queue/index.js';
import { wantedBy, type Wanted } from './oracle.js';
import type { Tables } from './tables.js';
import type { Owner, VirtualTime } from './virtual-time.js';
import { itemKey, type Change, type World } from './world.js';

export interface RunOf {
  laneId: string;
  epoch: number;
}

export interface Violation {
  /** Virtual milliseconds since the start. */
  at: number;
  rule: string;
  what: string;
}

interface RunningRun {
  owner: Owner;
  control: RunControl;
  epoch: number;
}

/**
 * What must never be (design: "Never"), looked at with each thing that happens:
 *
 * - `stale-action`: a target is changed by a run that does not hold its lane any more;
 * - `late-call`: a provider is called for a run that was told to stop;
 * - `overlap`: a run begins while another of the same object is at work in a process that runs;
 * - `unjustified-delete`: something is removed that was wanted in the state that the run read;
 * - `older-generation`: a target gets an older generation (or revision of a solution) after a newer one;
 * - `orphan`: something is on a target and not in the ledger;
 * - `late-write`: a durable write lands for a run that does not hold its lane;
 * - `not-converged`, `not-stable`, `order-lost`: at the end, with all faults healed;
 * - `engine-fault`: something failed that nobody handled.
 */
export class Checker {
  readonly violations: Violation[] = [];
  readonly counts = { runs: 0, landings: 0, fencedWrites: 0, takeovers: 0 };
  readonly #wanted = new Map<string, Wanted>();
  readonly #newest = new Map<string, number>();
  readonly #running = new Map<string, Set<RunningRun>>();

  constructor(
    private readonly time: VirtualTime,
    private readonly tables: Tables,
    private readonly world: World,
    private readonly trace: (text: string) => void,
  ) {}

  violate(rule: string, what: string): void {
    this.trace(`VIOLATION ${rule}: ${what}`);
    this.violations.push({ at: Math.round(this.time.now), rule, what });
  }

  runStarted(owner: Owner, claim: Claim, control: RunControl): () => void {
    const { epoch } = claim.fence;
    const key = `${claim.kind}/${claim.namespace}/${claim.name}`;
    this.counts.runs++;
    const others = this.#running.get(key) ?? new Set();
    this.#running.set(key, others);
    for (const other of others) {
      const atWork = other.owner.alive && !other.owner.paused && !other.control.stop.aborted;
      if (atWork) this.violate('overlap', `${claim.name}: epochs ${other.epoch} and ${epoch}`);
    }
    const run = { owner, control, epoch };
    others.add(run);
    return () => void others.delete(run);
  }

  /** A run read its desired state in this transaction. */
  read(run: RunOf, key: LaneKey): void {
    this.#wanted.set(`${run.laneId}/${run.epoch}`, wantedBy(this.tables, this.tables.object(key)));
  }

  called(run: RunOf, owner: DeploymentOwner, aborted: boolean): void {
    if (aborted) this.violate('late-call', `${owner.name}, epoch ${run.epoch}`);
  }

  /** A change arrives at a target. */
  landing(run: RunOf, change: Change, owner: DeploymentOwner, generation: number): void {
    const { action, component } = change;
    const key = itemKey({ ...change, component: component.name });
    this.counts.landings++;
    this.trace(`  ${action} ${key} rev ${String(component.properties?.rev)} by epoch ${run.epoch}`);
    if (!this.tables.lanes.mayAct(run)) {
      this.violate('stale-action', `${action} ${key} for ${owner.name} by epoch ${run.epoch}`);
    }
    if (action === 'delete') this.#checkDelete(run, change, key);
    const before = this.#newest.get(owner.uid) ?? 0;
    if (generation < before) this.violate('older-generation', `${key}: ${generation} after ${before}`);
    this.#newest.set(owner.uid, Math.max(before, generation));
    if (action === 'delete') return;
    const rev = Number(component.properties?.rev);
    const revKey = `${owner.uid}/${generation}/${component.name}`;
    const newest = this.#newest.get(revKey) ?? 0;
    if (rev < newest) this.violate('older-generation', `${key}: revision ${rev} after ${newest}`);
    this.#newest.set(revKey, Math.max(newest, rev));
  }

  #checkDelete(run: RunOf, { targetUid }: Change, key: string): void {
    const wanted = this.#wanted.get(`${run.laneId}/${run.epoch}`);
    const justified =
      wanted !== undefined &&
      (wanted.removal || wanted.leaving.has(targetUid) || (!wanted.hold && !wanted.items.has(key)));
    if (!justified) this.violate('unjustified-delete', `${key} by epoch ${run.epoch}`);
  }

  /** A change is made. */
  landed({ action, component, ...where }: Change): void {
    if (action === 'delete') return;
    const key = itemKey({ ...where, component: component.name });
    if (!this.tables.ledger.some((entry) => keyOf(entry) === key))
      this.violate('orphan', `${key} is made without an entry in the ledger`);
  }

  /** Entries went from the ledger in this transaction. */
  forgotten(entries: readonly LedgerEntry[]): void {
    for (const entry of entries) {
      if (this.world.items.has(keyOf(entry)))
        this.violate('orphan', `${keyOf(entry)} is there and was forgotten`);
    }
  }

  /** A durable write of a run was made. @param held whether the run held its lane then */
  written(what: string, fence: Fence, held: boolean): void {
    this.counts.fencedWrites++;
    if (!held) this.violate('late-write', `${what} by epoch ${fence.epoch} of lane ${fence.laneId}`);
  }
}

function keyOf(entry: LedgerEntry): string {
  return itemKey({
    targetUid: entry.targetUid,
    place: entry.binding.config?.place ?? '',
    ownerUid: entry.owner.uid,
    component: entry.component,
  });
}
