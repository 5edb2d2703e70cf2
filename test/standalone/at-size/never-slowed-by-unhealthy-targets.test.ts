import { afterEach, describe, expect, it } from 'vitest';
import { Fleet, forEach, say, timed, upTo, type Fault } from './fleet.js';

/**
 * "As fast as without": side by side in one run, as nothing is known of the machine. The part that is added covers the
 * scheduling of a loaded one; it is far below the deadline of a call (60 s), which is what a missing isolation costs.
 */
const TIMES = 2;
const AND_MS = 1_500;

/** Until it is known that a target does not answer, it may be waited for so long in all, however many changes come. */
const FOUND_OUT_MS = 3_500;

function asFast(alone: readonly number[], beside: readonly number[]): void {
  const slowest = Math.max(...alone);
  for (const took of beside) expect(took).toBeLessThan(slowest * TIMES + AND_MS);
}

interface Times {
  alone: number[];
  beside: number[];
}

/** Takes both times at the same moment: what else the machine does slows both. */
async function sideBySide(times: Times, alone: Promise<number>, beside: Promise<number>): Promise<void> {
  const [aloneMs, besideMs] = await Promise.all([alone, beside]);
  times.alone.push(aloneMs);
  times.beside.push(besideMs);
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

describe('what is healthy is as fast as without what is not', { timeout: 400_000 }, () => {
  const fleets: Fleet[] = [];
  const fleet = async (name: string): Promise<Fleet> => {
    const made = await Fleet.start(name);
    fleets.push(made);
    return made;
  };
  afterEach(async () => {
    await Promise.all(fleets.splice(0).map((made) => made.stop()));
  });

  it('one target that hangs and one that fails, among a hundred', async () => {
    const HEALTHY = upTo(98);
    const [alone, beside] = [await fleet('few-alone'), await fleet('few-beside')];
    const faults = new Map<number, Fault>([
      [98, 'hangGet'],
      [99, 'failGet'],
    ]);
    await Promise.all([
      (async () => {
        await alone.targets(98);
        await alone.solution('s');
      })(),
      (async () => {
        await beside.targets(100, faults);
        await beside.solution('s');
      })(),
    ]);
    const change = (on: Fleet, count: number, rev: string): Promise<number> =>
      timed(async () => {
        // Those in trouble first: whatever they take up is taken up when the healthy ones come.
        await forEach(count, (i) => on.instance(`i${count - 1 - i}`, 's', rev, count - 1 - i));
        await on.reached(HEALTHY, rev);
      });
    const times: Times = { alone: [], beside: [] };
    for (const rev of ['1', '2', '3']) {
      await sideBySide(times, change(alone, 98, rev), change(beside, 100, rev));
    }
    say('98 of 100', times.alone, times.beside);
    asFast(times.alone, times.beside);
    await beside.succeeded('Instance', 'i', 98);
    expect(beside.mock(98).contents).toEqual([]);
    expect(beside.mock(99).contents).toEqual([]);
  });

  it.each<Fault>(['hangGet', 'hangApply'])(
    'one instance over a hundred targets of which one hangs (%s), changed three times meanwhile',
    async (fault) => {
      const HEALTHY = upTo(99);
      const [alone, beside] = [await fleet(`wide-${fault}-alone`), await fleet(`wide-${fault}-beside`)];
      await Promise.all([alone.targets(99), beside.targets(100, new Map([[99, fault]]))]);
      await Promise.all([alone.solution('s'), beside.solution('s')]);
      const change = (on: Fleet, rev: string): Promise<number> =>
        timed(async () => {
          await on.instance('wide', 's', rev);
          await on.reached(HEALTHY, rev);
        });
      const times: Times = { alone: [], beside: [] };
      for (const rev of ['1', '2', '3', '4']) {
        await sideBySide(times, change(alone, rev), change(beside, rev));
      }
      say(`99 of 100, ${fault}`, times.alone, times.beside);
      asFast([sum(times.alone) + FOUND_OUT_MS / TIMES], [sum(times.beside)]);
      asFast(times.alone.slice(-1), times.beside.slice(-1));
      expect(beside.mock(99).contents).toEqual([]);
      // Healed, it follows too. Calls that hang go on hanging until a newer order, or their deadline, ends them.
      beside.mock(99).heal();
      await beside.instance('wide', 's', '5');
      await beside.reached([99], '5');
      await beside.engine.settled('instances', 'wide');
    },
  );

  it('500 instances beside 500 that sit on targets which hang; memory stays bounded', async () => {
    const COUNT = 500;
    const TARGETS = 50;
    const [alone, beside] = [await fleet('half-alone'), await fleet('half-beside')];
    const faults = new Map(upTo(TARGETS).map((i): [number, Fault] => [TARGETS + i, 'hangGet']));
    await Promise.all([alone.targets(TARGETS), beside.targets(2 * TARGETS, faults)]);
    await Promise.all([alone.solution('s'), beside.solution('s')]);
    const before = process.memoryUsage().rss;
    await forEach(COUNT, (i) => beside.instance(`hung-${i}`, 's', '1', TARGETS + (i % TARGETS)));
    const settle = (on: Fleet): Promise<number> =>
      timed(async () => {
        await forEach(COUNT, (i) => on.instance(`well-${i}`, 's', '1', i % TARGETS));
        await on.succeeded('Instance', 'well-', COUNT);
      });
    const times: Times = { alone: [], beside: [] };
    await sideBySide(times, settle(alone), settle(beside));
    const grownMiB = (process.memoryUsage().rss - before) / 2 ** 20;
    say(`500 of 1,000 (memory +${Math.round(grownMiB)} MiB)`, times.alone, times.beside);
    asFast(times.alone, times.beside);
    expect(grownMiB).toBeLessThan(400);
    for (const target of upTo(TARGETS)) expect(beside.mock(TARGETS + target).contents).toEqual([]);
  });
});
