import { describe, expect, test } from 'vitest';
import { type EvaluationContext, evaluateTemplate, isMissingValue } from '@symphony/expressions';
import { errorOf, valueOf } from './support.js';

const context: EvaluationContext = {
  instance: 'shop',
  solution: 'shop-v-1',
  target: 'gateway',
  component: 'web',
  parameters: { port: '80', host: 'a', '1': 'one' },
  instanceParameters: { port: '8080', extra: 'x' },
  properties: {
    os: 'linux',
    cpu: '4',
    label: '${{$property(os)}}-x',
    alias: '${{$property(os)}}',
    loop: '${{$property(loop)}}',
  },
  inputs: { n: 3, list: [1, 2, 3], text: '${{1+1}}', mixed: 'a${{1}}', nothing: null },
  outputs: { first: { status: 200, next: '${{$output(first,status)}}' } },
  triggers: { due: 'now', computed: '${{2*3}}' },
  value: {
    name: 'web',
    'a.b': 1,
    items: [
      { id: 1, on: true },
      { id: 2, on: false },
    ],
    big: 12345678901234567890n,
  },
};

describe('reading the context', () => {
  test.each([
    ['$param(host)', 'a'],
    ['$param(port)', '8080'],
    ['$param(extra)', 'x'],
    ['$param(1)', 'one'],
    ['$property(os)', 'linux'],
    ['$property(alias)', 'linux'],
    ['$property(label)', '${{$property(os)}}-x'],
    ['$input(n)', 3],
    ['$input(list)', [1, 2, 3]],
    ['$input(text)', 2],
    ['$input(mixed)', 'a${{1}}'],
    ['$input(nothing)', null],
    ['$output(first,status)', 200],
    ['$output(first,next)', 200],
    ['$trigger(due,never)', 'now'],
    ['$trigger(absent,1+1)', 2],
    ['$trigger(computed,0)', 6],
    ['$instance()', 'shop'],
    ['$solution()', 'shop-v-1'],
    ['$solutionversion()', 'shop-v-1'],
    ['$target()', 'gateway'],
    ['$val(name)', 'web'],
    ["$val('a.b')", 1],
    ["$context('$.items[0].id')", 1],
    ["$val('{$.items[*].id}')", [1, 2]],
    ["$val('$.big')", '12345678901234567890'],
  ])('%s', (expression, result) => {
    expect(valueOf(`\${{${expression}}}`, context)).toStrictEqual(result);
  });

  test('$output is empty before any step has run, and $trigger falls back without triggers', () => {
    expect(valueOf('${{$output(a,b)}}')).toBe('');
    expect(valueOf('${{$trigger(a,b)}}')).toBe('b');
    expect(valueOf('${{$val()}}')).toBeNull();
  });

  test.each([
    '$param(nope)',
    '$param(constructor)',
    '$property(nope)',
    '$property(__proto__)',
    '$input(toString)',
    '$output(first,nope)',
    '$output(nope,status)',
    '$val(nope)',
    "$val('$.nope')",
    "$jsonpath('[]', '$[0]')",
  ])('%s is a missing value, which a constraint can tell from a mistake', (expression) => {
    const error = errorOf(() => valueOf(`\${{${expression}}}`, context));
    expect(error.code).toBe('ExpressionMissingValue');
    expect(isMissingValue(error)).toBe(true);
  });

  test.each(['$param(a)', '$property(a)', '$input(a)', '$instance()', '$target()', '$solution()', '$val(a)'])(
    '%s without that part of the context is a missing value',
    (expression) => {
      expect(errorOf(() => valueOf(`\${{${expression}}}`)).code).toBe('ExpressionMissingValue');
    },
  );

  test('a value that refers to itself is an error', () => {
    expect(errorOf(() => valueOf('${{$property(loop)}}', context)).code).toBe('ExpressionCircular');
  });
});

describe('logic', () => {
  test.each([
    ['$equal(1, 1)', true],
    ['$equal(1/3, 2/6)', true],
    ["$equal('1', 1)", true],
    ['$equal(a, b)', false],
    ['$equal(9007199254740993, 9007199254740992)', false],
    ['$equal($input(nothing), 0)', false],
    ['$and(true, 1)', 'error'],
    ["$and(true, '1')", true],
    ['$and(T, f)', false],
    ['$or(False, TRUE)', true],
    ['$not(0)', 'error'],
    ["$not('0')", true],
    ['$not($equal(a,a))', false],
    ['$gt(2, 1.5)', true],
    ["$ge('1e3', 1000)", true],
    ['$lt(9007199254740992, 9007199254740993)', true],
    ['$le(2, 1)', false],
    ['$gt(abc, 1)', 'error'],
    ['$between(5, 5, 6)', true],
    ['$between(5, 6, 7)', false],
    ['$in(a, b, c, a)', true],
    ["$in('1', 2, 1)", true],
    ['$in(a, b)', false],
    ['$if(true, a, b)', 'a'],
    ["$if('1', a, b)", 'b'],
    ['$if($equal(1,1), yes, $param(nope))', 'yes'],
  ])('%s', (expression, result) => {
    const template = `\${{${expression}}}`;
    if (result === 'error') expect(errorOf(() => valueOf(template)).code).toBe('ExpressionInvalidArgument');
    else expect(valueOf(template, context)).toStrictEqual(result);
  });

  test('$and evaluates its second argument even when the first one decides', () => {
    expect(() => valueOf('${{$and(false, $param(nope))}}')).toThrow('there is no parameter');
  });
});

describe('forms of values', () => {
  test.each([
    ["$base64encode('hé<>&')", 'aMOpPD4m'],
    ["$base64decode('aMOpPD4m')", 'hé<>&'],
    ['$json($input(list))', '[1,2,3]'],
    ["$json('a<b')", '"a<b"'],
    [
      '$json($val())',
      '{"a.b":1,"big":12345678901234567890,"items":[{"id":1,"on":true},{"id":2,"on":false}],"name":"web"}',
    ],
    ['$str($input(list))', '[1 2 3]'],
    ['$str(1/8)', '0.125'],
    [`$jsonpath('{"a":{"b":[1,2.0,"x"]}}', '{.a.b[1]}')`, 2],
    [`$jsonpath('{"a":{"b":[1,2.0,"x"]}}', '$.a.b')`, [1, 2, 'x']],
    [`$jsonpath('{"id":12345678901234567890}', '.id')`, '12345678901234567890'],
    [`$jsonpath($json('{"a":1}'), 'a')`, 1],
    [`$jsonpath('{"__proto__":{"x":1}}', '.__proto__.x')`, 1],
    ["$jsonpath($val(), '$.items[?(@.on==true)].id')", 1],
    [`$jsonpath('{"state":"ok","v":7}', "$[?(@.state=='ok')].v")`, 'error'],
    [`$jsonpath('{"state":"ok","v":7}', '$[?(@.state=="ok")].v')`, 7],
  ])('%s', (expression, result) => {
    const run = () => valueOf(`\${{${expression}}}`, context);
    // Double quotes are part of the value, so a path in double quotes is no path.
    if (result === 'error') expect(errorOf(run).code).toBe('ExpressionInvalidPath');
    else expect(run()).toStrictEqual(result);
  });

  test.each([
    "$base64decode('%%%')",
    "$base64decode('/w==')",
    "$base64decode('YQ')",
    "$jsonpath(abc, '$.a')",
  ])('%s is refused', (expression) => {
    expect(errorOf(() => valueOf(`\${{${expression}}}`)).code).toBe('ExpressionInvalidArgument');
  });
});

describe('mistakes are named', () => {
  test.each([
    ['$nope()', 'ExpressionUnknownFunction'],
    ['$toString()', 'ExpressionUnknownFunction'],
    ['$__proto__()', 'ExpressionUnknownFunction'],
    ['$instance(1)', 'ExpressionArity'],
    ['$param()', 'ExpressionArity'],
    ['$in(a)', 'ExpressionArity'],
    ['$config(a)', 'ExpressionArity'],
    ['$if(a,b,c,d)', 'ExpressionArity'],
    ['$', 'ExpressionSyntax'],
    ['$1()', 'ExpressionSyntax'],
    ['$param', 'ExpressionSyntax'],
    ['$param(', 'ExpressionSyntax'],
    ['$param(a b)', 'ExpressionSyntax'],
    ['$in(a,,b)', 'ExpressionSyntax'],
    ['(a', 'ExpressionSyntax'],
    ['a)', 'ExpressionSyntax'],
    ['[a', 'ExpressionSyntax'],
    ['abc $secret(a,b)', 'ExpressionSyntax'],
    ['${{a}}', 'ExpressionSyntax'],
    ["$val('$[')", 'ExpressionInvalidPath'],
    ["$val('$.a[x]')", 'ExpressionInvalidPath'],
    ["$val('$..')", 'ExpressionInvalidPath'],
    ["$val('{range .a}{end}')", 'ExpressionMissingValue'],
  ])('%s is %s', (expression, code) => {
    expect(errorOf(() => evaluateTemplate(`\${{${expression}}}`, { value: {} })).code).toBe(code);
  });

  test('the message quotes the expression and says what would be right', () => {
    const error = errorOf(() => valueOf('x-${{$if(a,b)}}'));
    expect(error.message).toBe('In ${{$if(a,b)}}: $if() takes 3 arguments, found 2.');
    expect(error.status).toBe(400);
    expect(errorOf(() => valueOf('${{ ${{a}} }}')).message).toContain('do not nest');
  });
});
