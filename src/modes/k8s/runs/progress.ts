import { SummaryState } from '@symphony/model';
import type { Claim } from '../../../modules/queue/index.js';
import { ProgressStore, type Progress } from '../../../modules/reconcile/index.js';
import type { CustomObject } from '../objects/custom-object.js';
import type { RunLog } from './run-log.js';
import type { StatusWriter } from './status-writer.js';

export interface ProgressParts {
  /** The object of a claim as it was last seen. */
  objectOf(claim: Claim): CustomObject | undefined;
  status: StatusWriter;
  log: RunLog;
  /** @throws FencedError when the run has lost its lane */
  assertFence(claim: Claim): void;
  /** Least time between two writes onto one object, in milliseconds. Default 1 000. */
  everyMs?: number;
}

/** What is known of the writes onto one object. */
interface Shown {
  /** When the last one began, by the monotonic clock. */
  at: number;
  writing: Promise<void>;
  /** The newest that came too early. */
  next: { claim: Claim; progress: Progress } | undefined;
  timer: NodeJS.Timeout | undefined;
}

const EVERY_MS = 1_000;
/** Beyond this many objects those are forgotten whose last write is long ago. */
const MANY = 1_000;

/**
 * The progress of runs, on their objects and in the log of this process. Of one object at most one write per second, also when
 * its runs follow each other fast: what comes earlier waits, and gives way to what is newer.
 */
export class KubernetesProgress extends ProgressStore {
  /** Later than in a database, where a write costs little and is seen by nobody else. */
  override readonly afterMs = 1_000;
  readonly #shown = new Map<string, Shown>();
  readonly #everyMs: number;

  constructor(private readonly parts: ProgressParts) {
    super();
    this.#everyMs = parts.everyMs ?? EVERY_MS;
  }

  override async write(claim: Claim, progress: Progress): Promise<void> {
    this.parts.assertFence(claim);
    const uid = this.parts.objectOf(claim)?.metadata.uid;
    if (uid === undefined) return;
    const { summaryKey, generation, summary } = progress;
    const write = { key: summaryKey, generation, deploymentHash: '', summary };
    this.parts.log.add(claim, uid, { summary: write }, SummaryState.Running);
    if (!progress.status) return;
    const shown = this.#shownOf(uid);
    shown.next = { claim, progress };
    const waitMs = shown.at + this.#everyMs - performance.now();
    if (waitMs <= 0) await this.#writeNext(uid, shown);
    else shown.timer ??= setTimeout(() => void this.#writeNext(uid, shown).catch(() => undefined), waitMs);
  }

  /** What waits is dropped; resolves when nothing is under way: the outcome is written last. */
  async end(uid: string): Promise<void> {
    const shown = this.#shown.get(uid);
    if (!shown) return;
    clearTimeout(shown.timer);
    Object.assign(shown, { timer: undefined, next: undefined });
    await shown.writing;
  }

  #writeNext(uid: string, shown: Shown): Promise<void> {
    clearTimeout(shown.timer);
    const { next } = shown;
    Object.assign(shown, { timer: undefined, next: undefined });
    if (!next) return Promise.resolve();
    shown.at = performance.now();
    const writing = shown.writing.then(() => this.#store(uid, next.claim, next.progress));
    shown.writing = writing.catch(() => undefined);
    return writing;
  }

  async #store(uid: string, claim: Claim, { status, summary }: Progress): Promise<void> {
    this.parts.assertFence(claim);
    const object = this.parts.objectOf(claim);
    if (!status || object?.metadata.uid !== uid) return;
    const { deploymentHash, orders } = { ...object.status };
    const change = this.parts.status.changeOf(claim, object, status, {
      deploymentHash,
      orders,
      progress: {
        planned: summary.plannedDeployment,
        done: summary.currentDeployed,
        run: status.provisioningStatus.operationId,
      },
    });
    if (change) await this.parts.status.write(claim, change);
  }

  #shownOf(uid: string): Shown {
    const known = this.#shown.get(uid);
    if (known) return known;
    if (this.#shown.size >= MANY) this.#forgetOld();
    const fresh: Shown = { at: -Infinity, writing: Promise.resolve(), next: undefined, timer: undefined };
    this.#shown.set(uid, fresh);
    return fresh;
  }

  #forgetOld(): void {
    const before = performance.now() - 60_000;
    for (const [uid, { at, timer }] of this.#shown) {
      if (at < before && timer === undefined) this.#shown.delete(uid);
    }
  }
}
