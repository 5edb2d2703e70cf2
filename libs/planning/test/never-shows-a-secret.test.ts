import { describe, expect, it } from 'vitest';
import { diffFields, MASK, maskDiffs, plan } from '../src/index.js';
import { component, deployed, deploymentOf, planInput, target } from './support.js';

describe('a diff', () => {
  it('names the fields that differ, with both sides', () => {
    const before = { image: 'a', env: { A: '1', B: '2' }, ports: [80, 81], gone: true };
    const after = { image: 'b', env: { A: '1', C: '3' }, ports: [80, 82, 83] };
    expect(diffFields({ properties: before }, { properties: after })).toEqual([
      { path: 'properties.image', before: 'a', after: 'b' },
      { path: 'properties.env.B', before: '2' },
      { path: 'properties.env.C', after: '3' },
      { path: 'properties.ports[1]', before: 81, after: 82 },
      { path: 'properties.ports[2]', after: 83 },
      { path: 'properties.gone', before: true },
    ]);
    expect(diffFields(after, structuredClone(after))).toEqual([]);
  });

  it('tells fields from what every object inherits', () => {
    expect(diffFields({}, { constructor: 'x', toString: 'y' }).map(({ path }) => path)).toEqual([
      'constructor',
      'toString',
    ]);
  });

  it.each([
    ['the field itself', { pw: 's3cret' }, { pw: 'n3w' }, ['pw']],
    ['what is below it', { pw: { user: 'u', key: 's3cret' } }, { pw: { user: 'u', key: 'n3w' } }, ['pw']],
    ['a field inside of a new value', {}, { env: { pw: 'n3w', keep: 'me' } }, ['env.pw']],
    ['a field inside of another shape', { env: 's3cret' }, { env: { pw: 'n3w' } }, ['env.pw']],
    [
      'a whole list, whose items may have moved',
      { list: ['s3cret', 'a'] },
      { list: ['a', 'n3w'] },
      ['list[1]'],
    ],
    ['a list inside of a new value', {}, { job: { args: ['n3w', 's3cret'] } }, ['job.args[0].key']],
    ['odd keys', { 'a.b[0]': { c: 's3cret' } }, { 'a.b[0]': { c: 'n3w' } }, ['["a.b[0]"].c']],
  ])('masks %s on both sides', (_what, before, after, sensitive) => {
    const diffs = diffFields(before, after, sensitive);
    expect(diffs.length).toBeGreaterThan(0);
    expect(diffs.every((diff) => diff.masked)).toBe(true);
    const text = JSON.stringify(diffs);
    expect(text).toContain(MASK);
    expect(text).not.toMatch(/s3cret|n3w/);
  });

  it('masks nothing else', () => {
    expect(diffFields({ pw: 1, pwd: 1 }, { pw: 2, pwd: 2 }, ['pw'])).toEqual([
      { path: 'pw', before: MASK, after: MASK, masked: true },
      { path: 'pwd', before: 1, after: 2 },
    ]);
    expect(diffFields({}, { env: { pw: 1, keep: 'me' } }, ['env.pw'])[0]?.after).toEqual({
      pw: MASK,
      keep: 'me',
    });
    expect(maskDiffs([{ path: 'pw', after: 1 }], ['pw'])).toEqual([
      { path: 'pw', after: MASK, masked: true },
    ]);
  });
});

describe('a plan', () => {
  const declared = component('a', '', [], { properties: { pw: "${{$secret('vault','pw')}}", image: 'v1' } });
  const targets = [target('T1')];
  const world = deployed(deploymentOf([declared], targets));

  function planWith(pw: string, observedPw: string, digest: string): string {
    const input = planInput(deploymentOf([declared], targets), world);
    const resolved = { ...declared, properties: { pw, image: 'v1' } };
    return JSON.stringify(
      plan({
        ...input,
        resolved: [{ target: 'T1', component: resolved, digest, sensitive: ['properties.pw'] }],
        observations: input.observations.map((item) => ({
          ...item,
          readable: true,
          components: [{ ...declared, properties: { pw: observedPw, image: 'v0' } }],
        })),
        differs: (_assignment, desired, observed) =>
          diffFields({ properties: observed.properties }, { properties: desired.properties }),
      }),
    );
  }

  it('shows neither a rotated secret nor the one before', () => {
    const text = planWith('n3w', 's3cret', 'another');
    expect(text).toContain('ValueChanged');
    expect(text).toContain('v0');
    expect(text).not.toMatch(/s3cret|n3w/);
  });

  it('shows no secret that drifted', () => {
    const text = planWith('n3w', 's3cret', world.ledger[0]?.digest ?? '');
    expect(text).toContain('Drifted');
    expect(text).not.toMatch(/s3cret|n3w/);
  });
});
