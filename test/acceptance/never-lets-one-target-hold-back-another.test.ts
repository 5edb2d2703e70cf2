import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl, type MockControl } from '../../src/modules/providers/index.js';
import { mockTopology, TestEngine } from '../support/engine.js';

/** Far less than a call may take, so that nothing below can be explained by a call that timed out. */
const SOON_MS = 18_000;

describe('never lets one target hold back another, or one object another', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start({ config: { 'queue.concurrency': 4, 'queue.drainSeconds': 1 } });
  });
  afterAll(() => engine.stop());

  const revOf = (mock: MockControl): string | undefined =>
    mock.contents.find((component) => component.name === 'web')?.properties?.rev as string | undefined;
  const reaches = (mock: MockControl, rev: string): Promise<void> =>
    mock.until((control) => revOf(control) === rev, AbortSignal.timeout(SOON_MS));

  /** One instance on three targets: `bad`, which has the fault from the start, and two that are well. */
  async function threeTargets(name: string, fault: Parameters<MockControl['set']>[0]) {
    const mocks = ['bad', 'well-1', 'well-2'].map((site) => mockControl(`${name}-${site}`));
    const [bad, ...well] = mocks;
    if (!bad) throw new Error('there is no mock');
    bad.set(fault);
    for (const site of ['bad', 'well-1', 'well-2']) {
      await engine.target(`${name}-${site}`, {
        topologies: mockTopology(`${name}-${site}`),
        properties: { of: name },
      });
    }
    const write = (rev: string) => engine.solution(`${name}-s`, [{ name: 'web', properties: { rev } }]);
    await write('0');
    await engine.instance(name, { solution: `${name}-s`, target: { selector: { of: name } } });
    return { bad, well, write };
  }

  it.concurrent.each([
    ['hangs when it is read', 'hang-get', { hangGet: true }],
    ['hangs when it is changed', 'hang-apply', { hangApply: true }],
    ['cannot be read', 'fail-get', { failGet: true }],
    ['refuses every change', 'fail-apply', { failApply: ['*'] }],
  ])(
    'while one target %s, the others follow three changes; healed, it follows too',
    async (_how, name, fault) => {
      const { bad, well, write } = await threeTargets(name, fault);
      await Promise.all(well.map((mock) => reaches(mock, '0')));
      for (const rev of ['1', '2', '3']) {
        await write(rev);
        await Promise.all(well.map((mock) => reaches(mock, rev)));
      }
      expect(revOf(bad)).toBeUndefined();
      bad.heal();
      // Calls that hang go on hanging until a newer order, or their deadline, ends them.
      await write('4');
      await Promise.all([bad, ...well].map((mock) => reaches(mock, '4')));
      await engine.settled('instances', name);
    },
  );

  it('a dozen objects on a target that hangs leave room for one on another target', async () => {
    const hung = mockControl('crowd-hung');
    hung.set({ hangGet: true, hangApply: true });
    const fine = mockControl('crowd-fine');
    await engine.target('crowd-hung', { topologies: mockTopology('crowd-hung') });
    await engine.target('crowd-fine', { topologies: mockTopology('crowd-fine') });
    const names = Array.from({ length: 12 }, (_, index) => `crowd-${index}`);
    await engine.solution('crowd-s', [{ name: 'web', properties: { rev: '1' } }]);
    for (const name of names) {
      await engine.instance(name, { solution: 'crowd-s', target: { name: 'crowd-hung' } });
    }
    // More of them than there are slots are under way.
    await hung.until(({ calls }) => calls.length >= 4, AbortSignal.timeout(SOON_MS));
    await engine.instance('crowd-other', { solution: 'crowd-s', target: { name: 'crowd-fine' } });
    await reaches(fine, '1');
    await engine.settled('instances', 'crowd-other');
    expect(hung.contents).toEqual([]);
  });
});
