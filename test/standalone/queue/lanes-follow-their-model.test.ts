import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { CAUSES, type Cause, type Claim, type RunResult } from '../../../src/modules/queue/index.js';
import { claimAll, keyOf, openQueue, outcomeOf, type QueueFixture } from './support.js';

/** What a lane is, in the fewest words: the model that the SQL has to follow. Time is "now" or "much later". */
interface Model {
  orders: number;
  covered: number;
  ran: number;
  generation: number;
  deleting: boolean;
  cause: Cause;
  due: 'now' | 'later' | 'never';
  held: Claim | undefined;
  lost: Claim[];
  epoch: number;
  attempts: number;
  /** Its worker vanished, and nothing has ended since. */
  vanished: boolean;
}

const LATER_MS = 3_600_000;

let queue: QueueFixture;
beforeAll(async () => {
  queue = await openQueue('model', { backoff: { minMs: LATER_MS, firstMs: LATER_MS, maxMs: LATER_MS } });
});
afterAll(() => queue.close());

type Command = fc.AsyncCommand<Model, { lane: string }>;

class Order implements Command {
  constructor(
    readonly generation: number,
    readonly deleting: boolean,
    readonly cause: Cause,
    readonly later: boolean,
  ) {}
  check = (): boolean => true;
  async run(model: Model, { lane }: { lane: string }): Promise<void> {
    await queue.order({
      name: lane,
      generation: this.generation,
      action: this.deleting ? 'delete' : 'update',
      cause: this.cause,
      delayMs: this.later ? LATER_MS : 0,
    });
    const alone = model.due === 'never';
    model.cause =
      alone || CAUSES.indexOf(this.cause) < CAUSES.indexOf(model.cause) ? this.cause : model.cause;
    model.due = model.due === 'now' || !this.later ? 'now' : 'later';
    model.generation = Math.max(model.generation, this.generation);
    model.deleting ||= this.deleting;
    model.orders++;
    model.attempts = 0;
  }
  toString = (): string => `order(${this.generation}, ${this.deleting}, ${this.cause}, ${this.later})`;
}

class ClaimIt implements Command {
  check = (): boolean => true;
  async run(model: Model, { lane }: { lane: string }): Promise<void> {
    const claims = (await claimAll(queue, 'w', 100)).filter((claim) => claim.name === lane);
    if (model.held || model.due !== 'now') {
      expect(claims).toEqual([]);
      return;
    }
    expect(claims).toHaveLength(1);
    const [claim] = claims;
    expect(claim).toMatchObject({
      generation: model.generation,
      action: model.deleting ? 'delete' : 'update',
      cause: model.cause,
      attempts: model.attempts,
    });
    expect(claim?.fence.epoch).toBe(model.epoch + 1);
    model.epoch++;
    model.held = claim;
    model.covered = model.orders;
    model.due = 'never';
  }
  toString = (): string => 'claim';
}

class Complete implements Command {
  constructor(
    readonly result: Exclude<RunResult, 'removed'>,
    readonly periodic: boolean,
  ) {}
  check = (model: Readonly<Model>): boolean => model.held !== undefined;
  async run(model: Model): Promise<void> {
    if (!model.held) return;
    const again = model.orders > model.covered;
    const result = await queue.store.complete(
      model.held,
      outcomeOf({
        result: this.result,
        retryAfterMs: LATER_MS,
        nextRunMs: this.periodic ? LATER_MS : undefined,
      }),
    );
    expect(result).toEqual({ fenced: false, again });
    model.held = undefined;
    model.vanished = false;
    if (this.result !== 'yielded') model.ran = model.covered;
    if (again) {
      model.attempts = 0;
    } else if (this.result === 'yielded') {
      model.due = 'now';
    } else if (this.result === 'retry') {
      model.due = 'later';
      model.cause = 'retry';
      model.attempts++;
    } else {
      model.attempts = 0;
      model.due = this.result === 'succeeded' && this.periodic ? 'later' : 'never';
      model.cause = 'periodic';
    }
  }
  toString = (): string => `complete(${this.result}, ${this.periodic})`;
}

class TakeOver implements Command {
  check = (model: Readonly<Model>): boolean => model.held !== undefined;
  async run(model: Model): Promise<void> {
    await queue.database.query("UPDATE workers SET lease_until = now() - interval '1 s'");
    expect(await queue.store.takeOver(0)).toBeGreaterThan(0);
    await queue.store.register('w', LATER_MS);
    if (model.held) model.lost.push(model.held);
    model.held = undefined;
    model.attempts++;
    // Once is made good at once; a lane at work each time waits, unless somebody has ordered it meanwhile.
    model.due = model.vanished && model.due === 'never' ? 'later' : 'now';
    model.vanished = true;
  }
  toString = (): string => 'takeOver';
}

class LateCompletion implements Command {
  check = (model: Readonly<Model>): boolean => model.lost.length > 0;
  async run(model: Model): Promise<void> {
    for (const claim of model.lost) {
      expect(await queue.store.complete(claim, outcomeOf())).toEqual({ fenced: true, again: false });
    }
  }
  toString = (): string => 'lateCompletion';
}

const commands = [
  fc
    .tuple(fc.integer({ min: 1, max: 5 }), fc.boolean(), fc.constantFrom(...CAUSES), fc.boolean())
    .map(
      ([generation, deleting, cause, later]) =>
        new Order(generation, deleting && generation > 3, cause, later),
    ),
  fc.constant(new ClaimIt()),
  fc
    .tuple(
      fc.constantFrom('succeeded' as const, 'retry' as const, 'waiting' as const, 'yielded' as const),
      fc.boolean(),
    )
    .map(([result, periodic]) => new Complete(result, periodic)),
  fc.constant(new TakeOver()),
  fc.constant(new LateCompletion()),
];

test('any sequence of orders, claims, completions and take-overs does to a lane what it does to the model', async () => {
  let lanes = 0;
  await fc.assert(
    fc.asyncProperty(fc.commands(commands, { maxCommands: 25 }), async (sequence) => {
      await queue.clear();
      await queue.store.register('w', LATER_MS);
      const lane = `lane${lanes++}`;
      const model = (): Model => ({
        orders: 0,
        covered: 0,
        ran: 0,
        generation: 0,
        deleting: false,
        cause: 'periodic',
        due: 'never',
        held: undefined,
        lost: [],
        epoch: 0,
        attempts: 0,
        vanished: false,
      });
      let final = model();
      await fc.asyncModelRun(() => ({ model: (final = model()), real: { lane } }), sequence);
      const view = await queue.store.find(keyOf(lane));
      if (final.orders === 0) return;
      // No order is forgotten: it has run, is running, or is due.
      if (final.ran < final.orders) expect(final.held ?? view?.dueAt).toBeDefined();
      expect(BigInt(view?.orderSeq ?? 0) > BigInt(view?.doneSeq ?? 0)).toBe(final.ran < final.orders);
    }),
    { numRuns: 60 },
  );
}, 120_000);
