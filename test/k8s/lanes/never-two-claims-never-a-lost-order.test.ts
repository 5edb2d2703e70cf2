import * as fc from 'fast-check';
import { UnavailableError } from '@symphony/model';
import { expect, test } from 'vitest';
import { CAUSES, type Cause, type Claim, type RunResult } from '../../../src/modules/queue/index.js';
import type { KnownObject } from '../../../src/modes/k8s/lanes/index.js';
import { keyOf, orderOf, outcomeOf, recordedOutcome } from '../../support/job-store/subject.js';
import { openMemoryLanes, type MemorySubject } from './subject.js';

const NAMES = ['a', 'b', 'c'];
const WORKERS = ['w1', 'w2'];
const LEASE_MS = 5_000;
const RESULTS = ['succeeded', 'retry', 'waiting', 'yielded'] as const satisfies RunResult[];

type Step =
  | { do: 'order'; name: string; cause: Cause; newer: boolean; delete: boolean; delayMs: number }
  | { do: 'claim'; worker: string; limit: number; periodic: boolean }
  | { do: 'complete'; which: number; result: (typeof RESULTS)[number]; write: 'plain' | 'well' | 'badly' }
  | { do: 'pass'; ms: number }
  | { do: 'heartbeat' | 'retire' | 'release'; worker: string }
  | { do: 'takeOver' | 'lose' | 'lead' }
  | { do: 'suspend'; name: string; on: boolean }
  | { do: 'forget'; name: string };

const name = fc.constantFrom(...NAMES);
const worker = fc.constantFrom(...WORKERS);
const steps: fc.Arbitrary<Step>[] = [
  fc.record({
    do: fc.constant('order'),
    name,
    cause: fc.constantFrom(...CAUSES),
    newer: fc.boolean(),
    delete: fc.boolean(),
    delayMs: fc.constantFrom(0, 0, 3_000),
  }),
  fc.record({
    do: fc.constant('claim'),
    worker,
    limit: fc.integer({ min: 1, max: 3 }),
    periodic: fc.boolean(),
  }),
  fc.record({
    do: fc.constant('complete'),
    which: fc.nat(10),
    result: fc.constantFrom(...RESULTS),
    write: fc.constantFrom('plain', 'well', 'badly'),
  }),
  fc.record({ do: fc.constant('pass'), ms: fc.constantFrom(1, 1_000, 4_000, 400_000) }),
  fc.record({ do: fc.constantFrom('heartbeat', 'retire', 'release'), worker }),
  fc.record({ do: fc.constantFrom('takeOver', 'lose', 'lead') }),
  fc.record({ do: fc.constant('suspend'), name, on: fc.boolean() }),
  fc.record({ do: fc.constant('forget'), name }),
];

/** What has to be true of the object of one lane, whatever happens. */
interface Truth {
  generation: number;
  deleting: boolean;
  /** Number of the step with the newest order, and of the step at which the newest run began. */
  orderedAt: number;
  begunAt: number;
  /** A run that began after the newest order has ended, and its outcome counts. */
  covered: boolean;
  epoch: number;
  /** Of the newest claim. */
  claimed: number;
}

class Life {
  readonly subject: MemorySubject = openMemoryLanes();
  readonly truths = new Map(NAMES.map((key) => [key, newTruth()]));
  readonly claims: Claim[] = [];
  #step = 0;
  #term = 1;
  #leads = true;

  get #store() {
    return this.subject.store;
  }

  truth(key: string): Truth {
    const truth = this.truths.get(key);
    if (!truth) throw new Error(`no object ${key}`);
    return truth;
  }

  async begin(): Promise<void> {
    await this.subject.exist(NAMES.map((key) => keyOf(key)));
    await this.#register();
  }

  async take(step: Step): Promise<void> {
    this.#step++;
    switch (step.do) {
      case 'order':
        return this.#order(step);
      case 'claim':
        return this.#claim(step.worker, step.limit, step.periodic);
      case 'complete':
        return this.#complete(step);
      case 'pass':
        return this.subject.pass(step.ms);
      case 'heartbeat':
        await this.#store
          .heartbeat(step.worker, LEASE_MS)
          .catch(() => this.#store.register(step.worker, LEASE_MS));
        return;
      case 'retire':
        await this.#store.retire(step.worker);
        return this.#store.register(step.worker, LEASE_MS);
      case 'release':
        return this.#store.release(
          step.worker,
          this.claims.map((claim) => claim.fence),
        );
      case 'takeOver':
        await this.#store.takeOver(0);
        return;
      case 'lose':
        this.#leads = false;
        return this.#store.drop();
      case 'lead':
        return this.lead();
      case 'suspend':
        return this.#store.setSuspended(keyOf(step.name), step.on);
      case 'forget':
        // Its record went and another one was made, which is ordered as any new object is.
        this.#store.forget(keyOf(step.name));
        Object.assign(this.truth(step.name), { generation: 0, deleting: false, claimed: 0 });
        return this.#order({ name: step.name, cause: 'person', newer: true, delete: false, delayMs: 0 });
    }
  }

  async #order(step: Omit<Extract<Step, { do: 'order' }>, 'do'>): Promise<void> {
    const truth = this.truth(step.name);
    if (step.newer) truth.generation++;
    truth.deleting ||= step.delete && step.newer;
    truth.generation = Math.max(1, truth.generation);
    truth.orderedAt = this.#step;
    truth.covered = false;
    const { cause, delayMs } = step;
    const generation = step.newer ? truth.generation : 1;
    const action = truth.deleting && step.newer ? 'delete' : 'update';
    const order = this.#store.order([orderOf({ name: step.name, generation, action, cause, delayMs })]);
    // Then the next leader finds the change by itself.
    if (this.#leads) await order;
    else await expect(order).rejects.toThrow(UnavailableError);
  }

  async #claim(by: string, limit: number, periodic: boolean): Promise<void> {
    const dueMs = await this.#store.nextDueMs(1_000, periodic);
    const claims = await this.#store.claim({ worker: by, limit, periodic });
    // Nothing is claimed that is not due, and what is due is told.
    if (claims.length > 0) expect(dueMs).toBe(0);
    expect(claims.length).toBeLessThanOrEqual(limit);
    for (const claim of claims) {
      const truth = this.truth(claim.name);
      for (const other of this.claims) {
        if (other.name === claim.name) expect(() => this.#store.assertFence(other.fence)).toThrow();
      }
      this.#store.assertFence(claim.fence);
      expect(claim.fence.epoch).toBeGreaterThan(truth.epoch);
      // The newest that was ordered, and so never older than what was claimed before.
      expect(claim.generation).toBe(truth.generation);
      expect(claim.generation).toBeGreaterThanOrEqual(truth.claimed);
      expect(claim.action === 'delete').toBe(truth.deleting);
      Object.assign(truth, { epoch: claim.fence.epoch, claimed: claim.generation, begunAt: this.#step });
      this.claims.push(claim);
    }
  }

  async #complete({ which, result, write }: Extract<Step, { do: 'complete' }>): Promise<void> {
    const claim = this.claims[which % Math.max(1, this.claims.length)];
    if (!claim) return;
    const held = this.#holds(claim);
    const { writer } = this.subject;
    writer.before = () =>
      write === 'badly' ? Promise.reject(new UnavailableError('away')) : Promise.resolve();
    const part = { result, nextRunMs: 60_000 };
    const completion = this.#store.complete(
      claim,
      write === 'plain' ? outcomeOf(part) : recordedOutcome(part),
    );
    if (held && write === 'badly') {
      await expect(completion).rejects.toThrow(UnavailableError);
      expect(this.#holds(claim)).toBe(true);
      return;
    }
    const { fenced, again } = await completion;
    expect(fenced).toBe(!held);
    if (fenced) return;
    const truth = this.truth(claim.name);
    expect(again).toBe(truth.orderedAt > truth.begunAt);
    if (!again && result !== 'yielded') truth.covered = true;
    expect(this.#holds(claim)).toBe(false);
  }

  #holds(claim: Claim): boolean {
    try {
      this.#store.assertFence(claim.fence);
      return true;
    } catch {
      return false;
    }
  }

  /** Another leader, or the same one again, finds the objects as they are. */
  async lead(): Promise<void> {
    this.#store.drop();
    this.#leads = true;
    const known = NAMES.flatMap((key): KnownObject[] => {
      const { generation, deleting, covered } = this.truth(key);
      if (generation === 0) return [];
      const succeeded = { result: 'succeeded', reason: { code: 'Succeeded', message: '' } } as const;
      return [
        {
          ...keyOf(key),
          generation,
          action: deleting ? 'delete' : 'update',
          intervalMs: 60_000,
          ...(covered ? { last: succeeded } : {}),
        },
      ];
    });
    this.#store.lead(++this.#term, known);
    for (const claim of this.claims) expect(this.#holds(claim)).toBe(false);
    await this.#register();
  }

  async #register(): Promise<void> {
    for (const id of WORKERS) await this.#store.register(id, LEASE_MS);
  }

  /** All is well again: whatever was ordered has to run. */
  async settle(): Promise<void> {
    if (!this.#leads) await this.lead();
    for (const key of NAMES) this.#store.setSuspended(keyOf(key), false);
    await this.subject.pass(400_000);
    await this.#store.takeOver(0);
    await this.#register();
    for (let round = 0; round < 3; round++) {
      this.#step++;
      await this.#claim('w1', 10, true);
      for (let which = 0; which < this.claims.length; which++) {
        await this.#complete({ do: 'complete', which, result: 'succeeded', write: 'plain' });
      }
    }
    for (const [key, { generation, claimed, covered }] of this.truths) {
      if (generation === 0) continue;
      const view = await this.#store.find(keyOf(key));
      expect([key, claimed, covered]).toEqual([key, generation, true]);
      expect([key, view?.doneSeq, view?.state]).toEqual([key, view?.orderSeq, 'idle']);
    }
  }
}

function newTruth(): Truth {
  return { generation: 0, deleting: false, orderedAt: 0, begunAt: 0, covered: true, epoch: 0, claimed: 0 };
}

test('whatever happens to lanes, workers and leaders: never two claims, never an older one, no order lost', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(...steps), { maxLength: 60, size: 'max' }), async (sequence) => {
      const life = new Life();
      await life.begin();
      for (const step of sequence) await life.take(step);
      await life.settle();
    }),
    { numRuns: Number(process.env.SYMPHONY_LANE_RUNS ?? 400) },
  );
}, 120_000);
