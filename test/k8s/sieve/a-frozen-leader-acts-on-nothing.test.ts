import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { textOf, type Point } from './calls.js';
import { Gate } from './gate.js';
import { Lab, Operator } from './lab.js';
import type { LifeState } from './lives.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 360_000 });

/** A leader that is only slow keeps it; the one that stands still is followed when it has passed. */
const LEASE_SECONDS = 12;
const AFTERWARDS_MS = 6_000;
const POLL = { timeout: 60_000, interval: 50 };

/** One life, and what happens to it while its leader stands still. */
interface Case {
  /** Where its run stands still. */
  point: Point;
  /** The step that it is in then. */
  step: string;
  /** What somebody does meanwhile. */
  meanwhile: (life: string) => Promise<void>;
  /** As after which step the other leader leaves it. */
  end: string;
}

const at = (when: Point['when'], what: string): Point => ({ when, what, nth: 1 });

// A process that stands still (SIGSTOP) until another leads and has reached a changed spec, and then goes on (SIGCONT), with a
// cache, a plan and requests of before.
describeKubernetes('a leader that stands still past its lease', (cluster) => {
  let lab: Lab;
  let frozen: Operator;
  let other: Operator;
  let wokenAt = Infinity;
  const ends = new Map<string, LifeState>();
  const after = new Map<string, LifeState>();

  const change = (life: string): Promise<void> => lab.lives.step('change').take(life);
  const changeBack = (life: string): Promise<void> => lab.lives.putFirst(life);
  async function makeAnew(life: string): Promise<void> {
    await lab.lives.remove('instances', `app-${life}`).catch(() => undefined);
    await vi.waitFor(async () => {
      expect(await lab.lives.get('instances', `app-${life}`)).toBeUndefined();
    }, POLL);
    await lab.lives.step('deploy').take(life);
  }

  const CASES: Readonly<Record<string, Case>> = {
    'while a script of its runs': {
      point: at('before', 'apply near a'),
      step: 'deploy',
      meanwhile: change,
      end: 'change',
    },
    'when a script has ended': {
      point: at('after', 'apply far c'),
      step: 'deploy',
      meanwhile: change,
      end: 'change',
    },
    'between the ledger and the call of the provider': {
      point: at('after', 'POST ledgers/app.near finalizers=1 a=intent'),
      step: 'deploy',
      meanwhile: change,
      end: 'change',
    },
    'with a write of a ledger under way': {
      point: at('before', 'PUT ledgers/app.far finalizers=1 c=applied'),
      step: 'deploy',
      meanwhile: change,
      end: 'change',
    },
    'with a write of a status under way': {
      point: at('before', 'PATCH instances/app status'),
      step: 'deploy',
      meanwhile: change,
      end: 'change',
    },
    'right before a removal': {
      point: at('after', 'PUT ledgers/app.near finalizers=1 a=applied b=removing'),
      step: 'change',
      meanwhile: changeBack,
      end: 'deploy',
    },
    'right before a removal, while its object is made anew': {
      point: at('after', 'PUT ledgers/app.far finalizers=1 b=removing c=removing'),
      step: 'delete',
      meanwhile: makeAnew,
      end: 'deploy',
    },
    'about to let an object go that is made anew': {
      point: at('before', 'PATCH instances/app finalizers=0'),
      step: 'delete',
      meanwhile: makeAnew,
      end: 'deploy',
    },
  };
  const lifeOf = (name: string): string => String(Object.keys(CASES).indexOf(name) + 1);

  beforeAll(async () => {
    lab = await Lab.open(cluster());
    frozen = await Operator.start(lab, { leaseSeconds: LEASE_SECONDS });
    other = await Operator.start(lab, { leaseSeconds: LEASE_SECONDS, follows: true });
    const answers = new Gate();
    const reached = new Set<string>();
    // How a life stands after each step, from one to which nothing happens.
    for (const [step, { take, there }] of Object.entries(lab.lives.steps)) {
      await take('0');
      ends.set(step, await lab.settled('0', there, frozen.proxy));
    }
    const names = Object.keys(lab.lives.steps);
    for (const step of names) {
      const before = Object.entries(CASES).filter(
        ([, known]) => names.indexOf(step) < names.indexOf(known.step),
      );
      await Promise.all(before.map(([name]) => lab.lives.step(step).take(lifeOf(name))));
      const lives = new Map(before.map(([name]) => [lifeOf(name), name]));
      await lab.reached(lives, endOf(step));
    }
    for (const [name, { point }] of Object.entries(CASES)) {
      void lab.calls.hold(lifeOf(name), point, answers.opened).then(() => reached.add(name));
    }
    await Promise.all(
      Object.entries(CASES).map(([name, { step }]) => lab.lives.step(step).take(lifeOf(name))),
    );
    await vi.waitFor(() => {
      const missed = Object.entries(CASES).filter(([name]) => !reached.has(name));
      expect(missed.map(([, { point }]) => textOf(point))).toEqual([]);
    }, POLL);

    process.kill(frozen.pid, 'SIGSTOP');
    lab.calls.letGo();
    await Promise.all(Object.entries(CASES).map(([name, { meanwhile }]) => meanwhile(lifeOf(name))));
    for (const [name, { end }] of Object.entries(CASES)) {
      await lab.reached(new Map([[lifeOf(name), name]]), endOf(end));
    }

    // What was under way arrives now, and what it waited for is there when it wakes.
    const seen = frozen.proxy.requests.length;
    wokenAt = performance.now();
    answers.open();
    await delay(300);
    process.kill(frozen.pid, 'SIGCONT');
    await vi.waitFor(() => {
      expect(frozen.engine.output).toMatch(/This process does not lead any more/);
      // It is a candidate again.
      expect(frozen.proxy.requests.slice(seen).some(({ url }) => url.includes('/leases'))).toBe(true);
    }, POLL);
    // Whatever it may still have in hand.
    await delay(AFTERWARDS_MS);
    const states = await lab.lives.states(Object.keys(CASES).map(lifeOf));
    for (const [life, state] of states) after.set(life, state);
  });
  afterAll(async () => {
    process.kill(frozen.pid, 'SIGCONT');
    await frozen.engine.stop();
    await other.engine.stop();
    await lab.close();
  });

  const endOf = (step: string): LifeState => {
    const end = ends.get(step);
    if (!end) throw new Error(`there is no step ${step}`);
    return end;
  };

  describe.each(Object.entries(CASES))('%s', (name, { end }) => {
    test('leaves what the other leader has made of it', () => {
      expect(after.get(lifeOf(name))).toEqual(endOf(end));
    });
    test('calls no provider any more', () => {
      const late = lab.targets.calls.filter((call) => {
        return call.operator === frozen.pid && call.at > wokenAt && call.instance === `app-${lifeOf(name)}`;
      });
      expect(late).toEqual([]);
    });
  });

  test('has no write taken by the API server', () => {
    expect(frozen.takenAfter(wokenAt)).toEqual([]);
  });

  test('runs nothing beside the other leader', () => {
    expect(lab.targets.overlaps).toEqual([]);
  });

  test('is a candidate again, and leads well when its turn comes', async () => {
    await other.engine.stop();
    const lives = new Map(Object.keys(CASES).map((name) => [lifeOf(name), name]));
    await Promise.all([...lives.keys()].map((life) => lab.lives.step('delete').take(life)));
    await lab.reached(lives, endOf('delete'));
    expect(lab.targets.calls.at(-1)?.operator).toBe(frozen.pid);
  });
});
