import { describe, expect, test } from 'vitest';
import {
  evaluateValue,
  type LookupAnswer,
  type LookupNeed,
  LookupTable,
  referencesSecret,
  resolveLookups,
  secretReferences,
} from '@symphony/expressions';
import { evaluateWith } from './support.js';

async function fetch({ kind, object, field }: LookupNeed): Promise<LookupAnswer> {
  await Promise.resolve();
  if (kind === 'secret') return { value: field === 'key' ? 'os' : '${{hunter2}}' };
  if (object === 'masked') return { value: '${{hunter2)}}', sensitive: true };
  return { value: object === 'db' ? 'user:${{$secret(db,password)}}' : 'open' };
}

describe('a result that depends on a secret says so', () => {
  test.each([
    ['${{$secret(db,password)}}', true],
    ['a-${{$secret(db,password)}}-${{b}}', true],
    ['${{$str($secret(db,password))}}', true],
    ['${{$if($equal($secret(db,password),x),1,0)}}', true],
    ['${{$config(db,url)}}', true],
    ['${{$property(indirect)}}', true],
    ['${{$property($secret(db,key))}}', true],
    ['${{$config(masked,a)}}', true],
    ['${{$config(other,a)}}', false],
    ['${{$if(true,a,$secret(db,password))}}', false],
    ['$secret(db,password)', false],
  ])('%s: %s', async (template, sensitive) => {
    const properties = { indirect: '${{$secret(db,password)}}', os: 'linux' };
    expect((await evaluateWith(template, { properties }, fetch)).sensitive).toBe(sensitive);
  });

  test('per path of a value, and one text does not taint the next', async () => {
    const lookups = new LookupTable();
    const value = {
      env: { PASSWORD: '${{$secret(db,password)}}', USER: '${{me}}' },
      urls: ['x', '${{$config(db,url)}}'],
    };
    const result = await resolveLookups(lookups, fetch, () => evaluateValue(value, { lookups }));
    expect(result.sensitive).toEqual(['env.PASSWORD', 'urls[1]']);
  });

  test('a secret is taken as it is, never evaluated', async () => {
    expect((await evaluateWith('${{$secret(db,password)}}', {}, fetch)).value).toBe('${{hunter2}}');
  });
});

describe('errors do not tell secrets', () => {
  test.each([
    '${{$gt($secret(db,password),1)}}',
    '${{$not($secret(db,password))}}',
    '${{$param($secret(db,password))}}',
    '${{$val($secret(db,password))}}',
    "${{$jsonpath($secret(db,password),'$.a')}}",
    "${{$jsonpath('{}', '$.a[' + $secret(db,password))}}",
    '${{$base64decode($secret(db,password))}}',
  ])('%s', async (template) => {
    const failure = evaluateWith(template, { value: {} }, fetch);
    await expect(failure).rejects.toMatchObject({ name: expect.stringMatching(/^Expression/) as string });
    await expect(failure).rejects.not.toThrow('hunter2');
  });

  test('the table of answers does not print them', () => {
    const table = new LookupTable();
    table.set({ kind: 'secret', object: 'a', field: 'b' }, { value: 'hunter2' });
    expect(JSON.stringify({ table })).not.toContain('hunter2');
  });
});

describe('what a text refers to, without evaluating it', () => {
  test.each([
    ['${{$secret(a,b)}}', true],
    ['x ${{ 1 + $str($secret(a,b)) }}', true],
    ['${{$if(true,a,$secret(a,b))}}', true],
    ['${{-$secret(a,b)}}', true],
    ['${{[$secret(a,b)]}}', true],
    ['${{ $ secret (a,b)}}', true],
    ['${{$config(a,b)}}', false],
    ['${{secret}}', false],
    ["${{'$secret(a,b)'}}", false],
    ['$secret(a,b)', false],
    ['${{$secret(a,b}}', true],
    ['${{$oops(}}', false],
  ])('%s: %s', (text, secret) => {
    expect(referencesSecret(text)).toBe(secret);
  });

  test('paths in a value', () => {
    const value = {
      env: { PASSWORD: '${{$secret(a,b)}}', 'A.B': 'x${{$secret(a,b)}}' },
      list: [1, '${{$secret(a,b)}}'],
    };
    expect(secretReferences(value)).toEqual(['env.PASSWORD', 'env["A.B"]', 'list[1]']);
    expect(secretReferences('${{$secret(a,b)}}')).toEqual(['']);
    expect(secretReferences({ a: 'b' })).toEqual([]);
  });
});
