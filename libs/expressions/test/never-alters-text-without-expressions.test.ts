import { describe, expect, test } from 'vitest';
import { evaluateValue, formatPath } from '@symphony/expressions';
import { errorOf } from './support.js';

describe('texts that look like something else stay as they are', () => {
  test.each([
    '1.10',
    '1.0',
    '2.50',
    '1e2',
    '12345678901234567890',
    '[1, 2]',
    '{"b": 1, "a": "<>&"}',
    '007',
    'true',
    '""',
  ])('%s', (text) => {
    expect(evaluateValue({ text }, {}).value).toEqual({ text });
  });

  test('only the expression within JSON text changes', () => {
    const text = '{ "z": 1.10, "a": "${{$instance()}}", "id": 12345678901234567890, "html": "<&>" }';
    expect(evaluateValue([text], { instance: 'shop' }).value).toEqual([
      '{ "z": 1.10, "a": "shop", "id": 12345678901234567890, "html": "<&>" }',
    ]);
  });

  test('numbers, keys and null pass; whole expressions keep their type', () => {
    const value = {
      '${{key}}': null,
      n: 1.5,
      big: 12345678901234567890n,
      port: '${{8000+80}}',
      list: ['${{a}}', 'b'],
    };
    expect(evaluateValue(value, {}).value).toStrictEqual({
      '${{key}}': null,
      n: 1.5,
      big: 12345678901234567890n,
      port: 8080,
      list: ['a', 'b'],
    });
    expect(value.port).toBe('${{8000+80}}');
  });

  test('keys that mean something to JavaScript are ordinary keys', () => {
    const value: unknown = JSON.parse(
      '{"__proto__":{"a":"${{1}}"},"toJSON":"${{2}}","constructor":"${{3}}"}',
    );
    expect(JSON.stringify(evaluateValue(value, {}).value)).toBe(
      '{"__proto__":{"a":1},"toJSON":2,"constructor":3}',
    );
  });
});

test('an error says where the text stands', () => {
  const error = errorOf(() => evaluateValue({ env: { list: ['a', { 'x.y': '${{$nope()}}' }] } }, {}));
  expect(error.path).toBe('env.list[1]["x.y"]');
  expect(error.message).toBe('env.list[1]["x.y"]: In ${{$nope()}}: there is no function $nope().');
  expect(error.problems).toEqual([
    { path: error.path, message: 'In ${{$nope()}}: there is no function $nope().' },
  ]);
  expect(error.code).toBe('ExpressionUnknownFunction');
});

test('paths', () => {
  expect(formatPath(['env', 'PASSWORD'])).toBe('env.PASSWORD');
  expect(formatPath(['a', 0, 'b-c', 'd.e', ''])).toBe('a[0].b-c["d.e"][""]');
  expect(formatPath([])).toBe('');
});
