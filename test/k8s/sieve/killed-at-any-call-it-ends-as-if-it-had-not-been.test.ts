import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { PROGRESS, textOf, type Point } from './calls.js';
import { Gate } from './gate.js';
import { Lab, Operator } from './lab.js';
import type { LifeState } from './lives.js';

vi.setConfig({ testTimeout: 600_000, hookTimeout: 180_000 });

/** Lives that are cut off by one kill, each at a point of its own. */
const AT_ONCE = 14;
/** Shorter than the engine waits for an answer. */
const HELD_MS = 12_000;

interface Step {
  name: string;
  take: (life: string) => Promise<void>;
  /** How a life stands after it when nobody was killed. */
  end: LifeState;
  points: Point[];
}

describeKubernetes('an operator that is killed', (cluster) => {
  let lab: Lab;
  let operator: Operator;
  let lives = 0;

  beforeAll(async () => {
    lab = await Lab.open(cluster());
    operator = await Operator.start(lab);
  });
  afterAll(async () => {
    await operator.engine.stop();
    await lab.close();
  });

  const newLife = (): string => String(++lives);

  /** The scenario without a fault: before and after each write and each provider call that it takes is a point. */
  async function recorded(): Promise<Step[]> {
    const life = newLife();
    const steps: Step[] = [];
    for (const [name, { take, there }] of Object.entries(lab.lives.steps)) {
      const before = lab.calls.of(life).length;
      await take(life);
      const end = await lab.settled(life, there, operator.proxy);
      const made = lab.calls.of(life);
      const points = made.slice(before).flatMap(({ what, refused }, index): Point[] => {
        if (refused) return [];
        const nth = made.slice(0, before + index + 1).filter((other) => other.what === what).length;
        return (['before', 'after'] as const).map((when) => ({ what, nth, when }));
      });
      steps.push({ name, take, end, points });
    }
    return steps;
  }

  /** Whoever comes next finds a dead leader, whose lease has passed. */
  async function killAndFollow(): Promise<void> {
    await operator.engine.kill();
    lab.calls.letGo();
    await lab.freeLease();
    await operator.engine.begin();
  }

  /** Lives that go the same way, until the operator is killed in this step when all of them are at their points. */
  async function cutOff(
    batch: ReadonlyMap<string, Point>,
    killedIn: Step,
    steps: readonly Step[],
  ): Promise<string[]> {
    const about = new Map([...batch].map(([life, point]) => [life, textOf(point)]));
    const missed = new Map(about);
    const killed = new Gate();
    for (const step of steps) {
      if (step === killedIn) {
        for (const [life, point] of batch) {
          void lab.calls.hold(life, point, killed.opened).then(() => missed.delete(life));
        }
      }
      await Promise.all([...batch.keys()].map((life) => step.take(life)));
      if (step === killedIn) {
        const met = (): void => expect([...missed.values()].filter(isSure)).toEqual([]);
        await vi.waitFor(met, { timeout: HELD_MS, interval: 20 });
        await killAndFollow();
        killed.open();
      }
      await lab.reached(about, step.end);
    }
    return [...missed.values()];
  }

  test('before or after any write or provider call, is followed by one that ends as if it had not been', async () => {
    const steps = await recorded();
    let tested = 0;
    for (const step of steps) {
      for (let first = 0; first < step.points.length; first += AT_ONCE) {
        const batch = new Map(step.points.slice(first, first + AT_ONCE).map((point) => [newLife(), point]));
        const missed = await cutOff(batch, step, steps);
        tested += batch.size - missed.length;
      }
      // What a step does, there is to be cut off.
      expect(step.points.length, step.name).toBeGreaterThan(0);
    }
    expect(lab.targets.overlaps).toEqual([]);
    const points = steps.flatMap(({ points: all }) => all);
    const calls = lab.targets.calls.filter(({ operation }) => operation !== 'get').length;
    process.stdout.write(
      `${tested} of ${points.length} points; ${calls} changes of targets in ${lives} lives\n`,
    );
    expect(tested).toBeGreaterThanOrEqual(points.filter((point) => isSure(textOf(point))).length);
  });
});

function isSure(point: string): boolean {
  return !point.includes(PROGRESS);
}
