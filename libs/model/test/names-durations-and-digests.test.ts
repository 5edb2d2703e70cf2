import { readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  canonicalJson,
  candidatesOf,
  checkName,
  checkNamespace,
  hashOf,
  intervalOf,
  isFailure,
  keyedDigest,
  mergeAnnotations,
  parseDuration,
  reason,
  REASONS,
  retryOf,
  roleOf,
  schemaOf,
  TargetSpec,
} from '../src/index.js';

describe('names', () => {
  it.each(['a', 'app-v-1', 'App_1.2', 'a:b', 'x'.repeat(61), `${'x'.repeat(100)}-v-${'y'.repeat(61)}`])(
    '%s is one',
    (name) => {
      expect(() => checkName(name)).not.toThrow();
    },
  );
  it.each([
    '',
    '-a',
    'a-',
    'a/b',
    'a b',
    'ä',
    '..',
    'x'.repeat(62),
    `a-v-${'y'.repeat(62)}`,
    'a'.repeat(300),
    'a\u0000',
  ])('%j is none', (name) => {
    expect(() => checkName(name)).toThrow(/not valid/);
  });
  it('namespaces have 1 to 63 characters', () => {
    expect(() => checkNamespace('n'.repeat(63))).not.toThrow();
    expect(() => checkNamespace('n'.repeat(64))).toThrow();
    expect(() => checkNamespace('a:b')).toThrow();
  });
  it('a reference means the object of exactly that name first, then the versioned one', () => {
    expect(candidatesOf('app:1')).toEqual(['app:1', 'app-v-1']);
    expect(candidatesOf('app-v-1')).toEqual(['app-v-1']);
  });
});

describe('durations in Go syntax', () => {
  it.each([
    ['0', 0],
    ['30m', 1_800_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['500ms', 500],
    ['.5s', 500],
    ['1us', 0.001],
    ['2562047h', 9_223_369_200_000],
  ])('%s', (text, ms) => {
    expect(parseDuration(text)).toBeCloseTo(ms, 9);
  });
  it.each(['', '30', 'm', '-1m', '1d', '1h 30m', '1h30', 'NaN', '2562048h', `${'9'.repeat(63)}h`])(
    '%j is none',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );
  it('interval: the policy, else the default; 0 and inactive mean on change only; never below the minimum', () => {
    const defaults = { interval: 1_800_000, minInterval: 60_000 };
    expect(intervalOf(undefined, defaults)).toBe(1_800_000);
    expect(intervalOf({ interval: '1h' }, defaults)).toBe(3_600_000);
    expect(intervalOf({ interval: '1s' }, defaults)).toBe(60_000);
    expect(intervalOf({ interval: '0' }, defaults)).toBeUndefined();
    expect(intervalOf({ interval: '1h', state: 'inactive' }, defaults)).toBeUndefined();
    expect(intervalOf(undefined, { ...defaults, interval: 0 })).toBeUndefined();
  });
});

describe('digests', () => {
  it('do not depend on the order of keys, and tell every other difference', () => {
    const json = fc.jsonValue();
    fc.assert(
      fc.property(json, json, (a, b) => {
        const shuffled = JSON.parse(JSON.stringify(a), (_key, value: unknown) =>
          typeof value === 'object' && value !== null && !Array.isArray(value)
            ? Object.fromEntries(Object.entries(value).toReversed())
            : value,
        ) as unknown;
        expect(hashOf(shuffled)).toBe(hashOf(a));
        expect(hashOf(a) === hashOf(b)).toBe(canonicalJson(a) === canonicalJson(b));
      }),
    );
  });
  it('need their key', () => {
    const [one, two] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)];
    expect(keyedDigest(one, 'x')).toBe(keyedDigest(one, 'x'));
    expect(keyedDigest(one, 'x')).not.toBe(keyedDigest(two, 'x'));
  });
});

describe('small rules', () => {
  it('role: the type, and instance for none and for container', () => {
    expect([undefined, '', 'container', 'helm.v3'].map((type) => roleOf({ type }))).toEqual([
      'instance',
      'instance',
      'instance',
      'helm.v3',
    ]);
  });
  it('states: numbers that say that it did not happen', () => {
    expect([200, 202, 8004, 8005, 9994, 9996, 9998].filter(isFailure)).toEqual([]);
    expect([400, 404, 409, 500, 1000, 8001, 8002, 8003, 10000, 11004].every(isFailure)).toBe(true);
  });
  it('annotations that Symphony keeps survive a write that does not resend them', () => {
    const stored = {
      Guid: 'g',
      'management.azure.com/operationId': 'o',
      'x.symphony/started-at': 't',
      mine: 'gone',
    };
    expect(mergeAnnotations(stored, { Guid: 'new', own: 'x' })).toEqual({
      Guid: 'new',
      'management.azure.com/operationId': 'o',
      'x.symphony/started-at': 't',
      own: 'x',
    });
  });
  it('every reason says something, in whole sentences', () => {
    for (const [code, text] of Object.entries(REASONS)) expect(text, code).toMatch(/^[A-Za-z].*\.$/);
    expect(reason('TargetBusy', 'Because.').message).toMatch(/^Because\. The target/);
    expect(retryOf('SolutionNotFound')).toBe('wait-for-change');
    expect(retryOf('ProviderTimeout')).toBe('backoff');
  });
  it('the page of reasons has each of them, with its sentence', () => {
    const page = readFileSync(new URL('../../../docs/reasons.md', import.meta.url), 'utf8').replaceAll(
      / +/g,
      ' ',
    );
    for (const [code, text] of Object.entries(REASONS)) expect(page).toContain(`| \`${code}\` | ${text} |`);
  });
  it('schemas have the fields, bounds and descriptions of the classes, and no reference unless asked for', () => {
    const schema = schemaOf(TargetSpec);
    expect(schema.properties?.['reconciliationPolicy']?.properties?.['state']).toMatchObject({
      type: 'string',
      enum: ['active', 'inactive'],
    });
    expect(schema.properties?.['components']).toMatchObject({ type: 'array', items: { required: ['name'] } });
    expect(JSON.stringify(schema)).not.toContain('$ref');
    const named = schemaOf(TargetSpec, (type) => ({ $ref: `#/components/schemas/${type.name}` }));
    expect(named.properties?.['components']?.items).toEqual({ $ref: '#/components/schemas/ComponentSpec' });
  });
});
