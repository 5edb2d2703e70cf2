import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ComponentSpec } from '@symphony/model';
import { mockControl } from '../../../src/modules/providers/index.js';
import { CRASH_POINTS, CrashLab, tableOf, type Fault } from '../../support/crash-lab.js';

const TABLES = ['x', 'y', 'other'];

/** One world of its own: targets x and y, of which x also offers the role `other`; solution `s`, instance `app`. */
class Trial {
  readonly id = `crash-${randomUUID()}`;

  constructor(private readonly lab: CrashLab) {}

  async prepare(): Promise<void> {
    for (const site of ['x', 'y']) await this.target(site, { site });
    await this.solution([component('a', '1'), component('b', '1', ['a'])]);
  }

  target(name: string, properties: Record<string, string>): Promise<void> {
    const roles = name === 'x' ? { instance: 'x', other: 'other' } : { instance: 'y' };
    const bindings = Object.entries(roles).map(([role, table]) => ({
      role,
      provider: 'providers.target.mock',
      config: { id: `${this.id}-${table}` },
    }));
    return this.lab.put('Target', this.id, name, { topologies: [{ bindings }], properties });
  }

  solution(components: ComponentSpec[]): Promise<void> {
    return this.lab.put('Solution', this.id, 's', { components });
  }

  instance(site: string): Promise<void> {
    return this.lab.put('Instance', this.id, 'app', { solution: 's', target: { selector: { site } } });
  }

  delete(kind: 'Instance' | 'Target', name: string): Promise<void> {
    return this.lab.delete(kind, this.id, name);
  }

  /** Everything that must be the same in the end, with and without a crash. */
  async end() {
    const tables = TABLES.map((table) => [table, tableOf(mockControl(`${this.id}-${table}`).contents)]);
    return {
      tables: Object.fromEntries(tables) as Record<string, string[]>,
      ledger: await this.lab.ledger(this.id),
      status: await this.lab.statusOf(this.id, 'app'),
      exists: await Promise.all([
        this.lab.exists('Instance', this.id, 'app'),
        this.lab.exists('Target', this.id, 'x'),
      ]),
    };
  }

  /** The most calls that ran at once for one component of the instance on one target. */
  overlap(): number {
    const calls = TABLES.flatMap((table) => mockControl(`${this.id}-${table}`).calls);
    const applies = calls.filter((call) => call.operation === 'apply');
    return Math.max(
      0,
      ...applies.map((one) => {
        const until = (call: typeof one): number => call.endedAt ?? Infinity;
        const same = (call: typeof one): boolean =>
          call.target === one.target && call.components.some((name) => one.components.includes(name));
        return applies.filter(
          (two) => same(two) && two.startedAt <= one.startedAt && until(two) > one.startedAt,
        ).length;
      }),
    );
  }
}

function component(name: string, rev: string, dependencies: string[] = [], type = ''): ComponentSpec {
  return { name, type, dependencies, properties: { rev, long: '12345678901234567890' } };
}

interface Scenario {
  before?: (trial: Trial) => Promise<void>;
  change: (trial: Trial) => Promise<void>;
}

const DEPLOYED = { before: (trial: Trial) => trial.instance('x') };

const SCENARIOS: Record<string, Scenario> = {
  'a first deployment': { change: (trial) => trial.instance('x') },
  'an update': {
    ...DEPLOYED,
    change: (trial) => trial.solution([component('a', '2'), component('b', '2', ['a'])]),
  },
  'a component that is renamed': {
    ...DEPLOYED,
    change: (trial) => trial.solution([component('a', '1'), component('c', '1', ['a'])]),
  },
  'a component whose type changes': {
    ...DEPLOYED,
    change: (trial) => trial.solution([component('a', '1', [], 'other'), component('b', '1', ['a'])]),
  },
  'a move to another target': { ...DEPLOYED, change: (trial) => trial.instance('y') },
  'a deletion': { ...DEPLOYED, change: (trial) => trial.delete('Instance', 'app') },
  'the deletion of the target': {
    before: async (trial) => {
      await trial.target('y', { site: 'x' });
      await trial.instance('x');
    },
    change: (trial) => trial.delete('Target', 'x'),
  },
};

describe('a crash between any two steps orphans nothing and applies nothing twice at once', () => {
  let lab: CrashLab;

  beforeAll(async () => {
    lab = await CrashLab.open();
  });
  afterAll(() => lab.close());

  async function start({ before, change }: Scenario): Promise<Trial> {
    const trial = new Trial(lab);
    await trial.prepare();
    await before?.(trial);
    await lab.serve();
    await change(trial);
    return trial;
  }

  /** Also what waits for its next look, as a target that is to go does. */
  async function serveAll(): Promise<void> {
    await lab.serve();
    await lab.hurry();
    await lab.serve();
  }

  it.each(Object.keys(SCENARIOS))('in the middle of %s', async (name) => {
    const scenario = SCENARIOS[name];
    if (!scenario) throw new Error(`there is no scenario ${name}`);
    const faultless = await start(scenario);
    await serveAll();
    const expected = await faultless.end();

    let crashes = 0;
    for (const how of ['killed', 'lease lost'] as const) {
      for (const point of CRASH_POINTS) {
        for (let at = 1; ; at++) {
          const fault: Fault = { point, at, how };
          // A run that is told to stop goes the same way from wherever it is; once for each point is enough.
          if (how === 'lease lost' && at > 1) break;
          const trial = await start(scenario);
          if (!(await lab.serve(fault))) break;
          crashes++;
          // What takes over may end in the same way.
          if (how === 'killed') await lab.serve({ ...fault, at: 1 });
          await serveAll();
          expect({ fault, end: await trial.end() }).toEqual({ fault, end: expected });
          expect(trial.overlap()).toBe(1);
        }
      }
    }
    expect(crashes).toBeGreaterThanOrEqual(2 * CRASH_POINTS.length);
  });

  it.each(CRASH_POINTS)('nor is a change kept that was taken back after a crash %s', async (point) => {
    const trial = await start({
      ...DEPLOYED,
      change: (it) => it.solution([component('a', '2'), component('b', '2', ['a'])]),
    });
    const before = [component('a', '1'), component('b', '1', ['a'])];
    expect(await lab.serve({ point, at: 1, how: 'killed' })).toBe(true);
    // As it was when the last run succeeded: the desired state looks unchanged, what is deployed is not.
    await trial.solution(before);
    await lab.serve();
    const { tables, status } = await trial.end();
    expect(tables.x).toEqual(tableOf(before));
    expect(status).toEqual({ word: 'Succeeded', current: true });
  });
});
