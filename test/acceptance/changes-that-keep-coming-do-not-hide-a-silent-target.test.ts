import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl, type MockControl } from '../../src/modules/providers/index.js';
import { mockTopology, TestEngine } from '../support/engine.js';

const TARGETS = 12;
const SOON_MS = 25_000;
/** For so long a run that new orders brought about waits for a target that does not answer. */
const PATIENCE_MS = 3_000;
/**
 * What a target that stops answering may cost the others in all, however many changes come: it must be found out first, which takes
 * two runs that are given up; as much again is for a machine that does other things as well.
 */
const ONCE_MS = 3 * PATIENCE_MS;
/** So often, if orders keep coming, one of them looks whether the target answers again. */
const PROBE_MS = 10_000;
/** What it may cost a change once that is known. */
const NOTHING_MS = 700;

describe('changes that keep coming do not hide a silent target', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start({ config: { 'queue.drainSeconds': 1 } });
  });
  afterAll(() => engine.stop());

  const revOf = (mock: MockControl): unknown =>
    mock.contents.find((component) => component.name === 'web')?.properties?.rev;
  const reaches = (mock: MockControl, rev: string): Promise<void> =>
    mock.until((control) => revOf(control) === rev, AbortSignal.timeout(SOON_MS));

  /** An instance over many targets, all of which have revision 0. */
  async function fleet(name: string) {
    const ids = Array.from({ length: TARGETS }, (_, index) => `${name}-${index}`);
    const mocks = ids.map((id) => mockControl(id));
    for (const id of ids) await engine.target(id, { topologies: mockTopology(id), properties: { of: name } });
    const write = (rev: string) => engine.solution(`${name}-s`, [{ name: 'web', properties: { rev } }]);
    await write('0');
    await engine.instance(name, { solution: `${name}-s`, target: { selector: { of: name } } });
    await Promise.all(mocks.map((mock) => reaches(mock, '0')));
    await engine.settled('instances', name);
    return { mocks, write };
  }

  /** Milliseconds until all of them have the revision. */
  async function change({ write }: Awaited<ReturnType<typeof fleet>>, mocks: MockControl[], rev: string) {
    const began = performance.now();
    await write(rev);
    await Promise.all(mocks.map((mock) => reaches(mock, rev)));
    return performance.now() - began;
  }

  it.each([
    ['when it is read', 'silent-get', { hangGet: true }],
    ['when it is changed', 'silent-apply', { hangApply: true }],
  ])(
    'one of a dozen does not answer %s: the others reach each revision as fast as those beside no such target',
    async (_when, name, fault) => {
      const [sick, sound] = [await fleet(name), await fleet(`${name}-sound`)];
      const [silent, ...others] = sick.mocks;
      silent?.set(fault);
      const lost: number[] = [];
      const began = performance.now();
      for (const rev of ['1', '2', '3', '4', '5', '6', '7', '8']) {
        // Side by side: what else the machine does slows both.
        const [without, beside] = await Promise.all([
          change(sound, sound.mocks, rev),
          change(sick, others, rev),
        ]);
        lost.push(Math.max(0, beside - without));
      }
      const shown = `lost ${lost.map(Math.round).join(', ')} ms`;
      const probes = Math.floor((performance.now() - began) / PROBE_MS);
      const sum = lost.reduce((all, one) => all + one, 0);
      expect(sum, shown).toBeLessThan(ONCE_MS + probes * PATIENCE_MS);
      // What each of them costs shows in the middle one; a machine that stands still for a moment does not.
      const [, , median] = lost.slice(-5).toSorted((a, b) => a - b);
      expect(median, shown).toBeLessThan(NOTHING_MS);

      if (silent) {
        silent.heal();
        await reaches(silent, '8');
        await engine.settled('instances', name);
      }
    },
  );
});
