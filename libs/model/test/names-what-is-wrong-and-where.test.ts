import { describe, expect, it } from 'vitest';
import {
  BODY_CLASSES,
  InstanceSpec,
  InvalidInputError,
  parseAs,
  SolutionSpec,
  TargetSpec,
} from '../src/index.js';

function problems(run: () => unknown): [string, string][] {
  try {
    run();
  } catch (error) {
    if (error instanceof InvalidInputError) return error.problems.map(({ path, message }) => [path, message]);
    throw error;
  }
  return [];
}

describe('parsing names every problem with its path', () => {
  it('unknown fields, with the one that was probably meant', () => {
    const found = problems(() => parseAs(TargetSpec, { displayname: 'x', nonsense: 1 }));
    expect(found).toEqual([
      ['displayname', 'is not a known field; did you mean displayName?'],
      ['nonsense', expect.stringContaining('known fields are displayName') as string],
    ]);
  });

  it('deep ones too, and several at once', () => {
    const found = problems(() =>
      parseAs(SolutionSpec, {
        components: [{ name: 'a', dependencies: ['b', 7] }, { type: 'x' }, { name: 'a' }, 'text'],
        metadata: { port: 80 },
      }),
    );
    expect(new Set(found.map(([path]) => path))).toEqual(
      new Set([
        'metadata',
        'components[0].dependencies',
        'components[1].name',
        'components[2].name',
        'components[3]',
      ]),
    );
    expect(Object.fromEntries(found)['metadata']).toMatch(/put numbers and true\/false in quotes/);
    expect(Object.fromEntries(found)['components[2].name']).toMatch(/used twice/);
  });

  it('keys that would be ambiguous are quoted', () => {
    expect(problems(() => parseAs(TargetSpec, { 'a.b': 1 }))[0]?.[0]).toBe('["a.b"]');
  });

  it('wrong kinds of values, and required ones that are missing', () => {
    expect(problems(() => parseAs(InstanceSpec, { target: 'gw' }))).toEqual([
      ['solution', 'is required'],
      ['target', 'must be an object, but is a string'],
    ]);
    expect(problems(() => parseAs(InstanceSpec, []))).toEqual([['', 'must be an object, but is a list']]);
    expect(problems(() => parseAs(InstanceSpec, null))).toEqual([['', 'must be an object, but is null']]);
  });

  it('intervals and states that mean nothing', () => {
    const found = problems(() =>
      parseAs(InstanceSpec, { solution: 's', reconciliationPolicy: { state: 'on', interval: '5 minutes' } }),
    );
    expect(found.map(([path]) => path)).toEqual([
      'reconciliationPolicy.state',
      'reconciliationPolicy.interval',
    ]);
  });

  it('takes null for absent, keeps free-form values as they are, and drops unknown metadata', () => {
    const properties = { constructor: 'kept', nested: { list: [1, '1.10', null] }, ['__proto__x']: 1 };
    const body = parseAs(BODY_CLASSES.Solution, {
      apiVersion: 'solution.symphony/v1',
      kind: 'Solution',
      metadata: { name: 's', managedFields: [{}], resourceVersion: '7', etag: 3 },
      spec: { displayName: null, components: [{ name: 'a', properties }] },
      status: 'whatever',
    });
    expect(body.spec?.components?.[0]?.properties).toBe(properties);
    expect(body.spec?.displayName).toBeUndefined();
    expect(body.metadata).toEqual({ name: 's', etag: 3 });
  });
});
