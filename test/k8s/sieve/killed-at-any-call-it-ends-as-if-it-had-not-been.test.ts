import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { PROGRESS, textOf, type Made, type Point } from './calls.js';
import { Gate } from './gate.js';
import { Lab, Operator } from './lab.js';
import type { Lives, LifeState } from './lives.js';

vi.setConfig({ testTimeout: 600_000, hookTimeout: 180_000 });

/** Lives that are cut off by one kill, each at a point of its own. */
const AT_ONCE = 14;
/** Shorter than the engine waits for an answer. */
const HELD_MS = 12_000;
/** On a slow machine a life may not be at its point by then: another one goes the same way. */
const TRIES = 3;

interface Step {
  name: string;
  take: (life: string, lives?: Lives) => Promise<void>;
  /** How a life stands after it when nobody was killed. */
  end: LifeState;
  points: Point[];
}

describeKubernetes('an operator that is killed', (cluster) => {
  let lab: Lab;
  let operator: Operator;
  let lives = 0;
  let steps: Step[] = [];

  beforeAll(async () => {
    lab = await Lab.open(cluster());
    operator = await Operator.start(lab);
    steps = await recorded();
  });
  afterAll(async () => {
    await operator.engine.stop();
    await lab.close();
  });

  const newLife = (): string => String(++lives);

  /** The scenario without a fault: before and after each write and each provider call that it takes is a point. */
  async function recorded(): Promise<Step[]> {
    const life = newLife();
    const found: Step[] = [];
    for (const [name, { take, there }] of Object.entries(lab.lives.steps)) {
      const before = lab.calls.of(life).length;
      await take(life);
      const end = await lab.settled(life, there, operator.proxy);
      found.push({
        name,
        take: (each, place = lab.lives) => place.step(name).take(each),
        end,
        points: pointsOf(lab.calls.of(life), before),
      });
    }
    return found;
  }

  /** Whoever comes next finds a dead leader, whose lease has passed. */
  async function killAndFollow(): Promise<void> {
    await operator.engine.kill();
    lab.calls.letGo();
    await lab.freeLease();
    await operator.engine.begin();
  }

  /**
   * Lives that go the same way, until the operator is killed in this step when all of them are at their points, or may not be held
   * there any longer.
   * @returns the points at which none was
   */
  async function cutOff(
    batch: ReadonlyMap<string, Point>,
    killedIn: Step,
    steps: readonly Step[],
  ): Promise<Point[]> {
    const about = new Map([...batch].map(([life, point]) => [life, textOf(point)]));
    const missed = new Map(batch);
    const killed = new Gate();
    for (const step of steps) {
      if (step === killedIn) {
        for (const [life, point] of batch) {
          // Counted from the beginning of the step: how often a status is written before depends on how long things take.
          const before = lab.calls.of(life).filter(({ what }) => what === point.what).length;
          const nth = before + point.nth;
          void lab.calls.hold(life, { ...point, nth }, killed.opened).then(() => missed.delete(life));
        }
      }
      await Promise.all([...batch.keys()].map((life) => step.take(life)));
      if (step === killedIn) {
        const until = performance.now() + HELD_MS;
        while ([...missed.values()].some(isSure) && performance.now() < until) await delay(20);
        await killAndFollow();
        killed.open();
      }
      await lab.reached(about, step.end);
    }
    return [...missed.values()];
  }

  test('before or after any write or provider call, is followed by one that ends as if it had not been', async () => {
    let tested = 0;
    for (const step of steps) {
      let left = step.points;
      for (let tries = 0; left.length > 0 && tries < TRIES; tries++) {
        const again: Point[] = [];
        for (let first = 0; first < left.length; first += AT_ONCE) {
          const batch = new Map(left.slice(first, first + AT_ONCE).map((point) => [newLife(), point]));
          const missed = await cutOff(batch, step, steps);
          tested += batch.size - missed.length;
          again.push(...missed.filter(isSure));
        }
        left = again;
      }
      expect(left.map(textOf), step.name).toEqual([]);
      // What a step does, there is to be cut off.
      expect(step.points.length, step.name).toBeGreaterThan(0);
    }
    expect(lab.targets.overlaps).toEqual([]);
    const points = steps.flatMap(({ points: all }) => all);
    const calls = lab.targets.calls.filter(({ operation }) => operation !== 'get').length;
    process.stdout.write(
      `${tested} of ${points.length} points; ${calls} changes of targets in ${lives} lives\n`,
    );
    expect(tested).toBeGreaterThanOrEqual(points.filter(isSure).length);
  });

  test('before or after a write for people to read, loses nothing else', async () => {
    const [targets, deploy] = steps;
    if (!targets || !deploy) throw new Error('nothing was recorded');
    const points = ['PATCH runhistories', 'POST events'].flatMap((what) => {
      return (['before', 'after'] as const).map((when) => ({ what, when }));
    });
    const batch = new Map(points.map((point) => [newLife(), point]));
    const about = new Map([...batch].map(([life, { what, when }]) => [life, `${when} ${what}`]));
    await Promise.all([...batch.keys()].map((life) => targets.take(life)));
    await lab.reached(about, targets.end);
    const killed = new Gate();
    const missed = new Set(batch.keys());
    for (const [life, { what, when }] of batch) {
      const told = `${what.split(' ')[1]} ${life}`;
      const nth = lab.calls.of(told).filter((made) => made.what === what).length + 1;
      void lab.calls.hold(told, { what, when, nth }, killed.opened).then(() => missed.delete(life));
    }
    // An instance without its solution is news for the history.
    await Promise.all([...batch.keys()].map((life) => lab.lives.putInstance(life)));
    await vi.waitFor(() => expect([...missed]).toEqual([]), { timeout: 60_000, interval: 20 });
    await killAndFollow();
    killed.open();
    await Promise.all([...batch.keys()].map((life) => lab.lives.putFirst(life)));
    await lab.reached(about, deploy.end);
  });

  test('before or after any write of its start, is followed by one that starts as if it had not been', async () => {
    const fresh = await Lab.open(cluster());
    onTestFinished(() => fresh.close());
    const { engine } = await Operator.start(fresh);
    onTestFinished(() => engine.kill());
    const points = pointsOf(fresh.calls.of(''), 0);
    expect(points.map(textOf)).toContain('after POST leases/symphony-engine');
    for (const { what, when } of points) {
      await engine.kill();
      await fresh.forgetStart();
      const nth = fresh.calls.of('').filter((made) => made.what === what).length + 1;
      const killed = new Gate();
      const reached = fresh.calls.hold('', { what, nth, when }, killed.opened);
      const ended = expect(engine.begin()).rejects.toThrow('does not lead');
      await Promise.race([reached, ended]);
      await engine.kill();
      await ended;
      killed.open();
      fresh.calls.letGo();
      await fresh.freeLease();
      await engine.begin();
    }
    const [targets, deploy] = steps;
    if (!targets || !deploy) throw new Error('nothing was recorded');
    for (const step of [targets, deploy]) {
      await step.take('1', fresh.lives);
      await fresh.reached(new Map([['1', step.name]]), step.end);
    }
  });
});

/** Before and after each of these calls from an index on, those left out that were refused. */
function pointsOf(made: readonly Made[], from: number): Point[] {
  return made.slice(from).flatMap(({ what, refused }, index): Point[] => {
    if (refused) return [];
    const nth = made.slice(from, from + index + 1).filter((other) => other.what === what).length;
    return (['before', 'after'] as const).map((when) => ({ what, nth, when }));
  });
}

function isSure({ what }: Point): boolean {
  return !what.includes(PROGRESS);
}
