import { describe, expect, test } from 'vitest';
import { ExpressionError } from '@symphony/expressions';
import { evaluateWith, valueOf } from './support.js';

/** Number of the example in the language's own table, template, result. Types count: 1 is not '1'. */
const examples: readonly (readonly [number, string, unknown])[] = [
  [1, '1', '1'],
  [2, '${{1}}', 1],
  [3, '${{1}} ${{2}}', '1 2'],
  [4, '${{ }}', null],
  [5, '${{  abc  }}', 'abc'],
  [6, '${{abc def}}', 'abc'],
  [7, "${{'abc def}}", "'abc def"],
  [8, "${{'abc def'hij}}", 'abc def'],
  [9, '${{3.abc}}', '3.abc'],
  [10, '${{..}}', '..'],
  [11, '${{+}}', ''],
  [12, '${{+++123}}', 123],
  [13, '${{-}}', ''],
  [14, '${{--}}', '-'],
  [14, '${{---}}', '--'],
  [15, '${{-a}}', '-a'],
  [15, '${{a-}}', 'a-'],
  [16, '${{+a}}', 'a'],
  [16, '${{a+}}', 'a'],
  [17, '${{/}}', '/'],
  [17, '${{&&}}', '&&'],
  [17, '${{\\}}', '\\'],
  [18, '${{/abc/def?parm=tok&foo=bar}}', '/abc/def?parm=tok&foo=bar'],
  [19, '${{http://abc.com:8080/abc/def?parm=tok&foo=bar}}', 'http://abc.com:8080/abc/def?parm=tok&foo=bar'],
  [20, 'http://abc.com:${{8080+1}}/abc', 'http://abc.com:8081/abc'],
  [21, '${{--1}}', 1],
  [21, '${{-+1}}', -1],
  [22, '${{$str(-1)}}', '-1'],
  [23, '${{1+2+3}}', 6],
  [24, '${{6.3}}', '6.3'],
  [25, '${{6.3 + 3.4}}', '6.33.4'],
  [26, '${{1/2}}', 0.5],
  [27, '${{6.(1+2).(5-1)}}', '6.3.4'],
  [28, '${{1-2}}', -1],
  [28, '${{1-a}}', '1-a'],
  [29, '${{1-1.2.3}}', '1-1.2.3'],
  [30, '${{3*4}}', 12],
  [30, '${{123*}}', '123*'],
  [31, '${{10/2}}', 5],
  [31, "${{'10'/2}}", '10/2'],
  [32, '${{5/2+1}}', 3.5],
  [32, '${{5/2+a}}', '2.5a'],
  [33, '${{5/2-5/2}}', 0],
  [33, '${{2.5-2.5}}', '2.5-2.5'],
  [34, '${{5/2*5/2}}', 6.25],
  [35, '${{5/2.}}', '2.5.'],
  [36, '${{10/-2}}', -5],
  [36, '${{10/0}}', '10/0'],
  [37, '${{dog+1}}', 'dog1'],
  [37, '${{1+cat}}', '1cat'],
  [38, '${{crazydogs-dogs}}', 'crazydogs-dogs'],
  [39, '${{3-(1+2)/(2+1)}}', 2],
  [40, '${{dog+(32-10/2)}}', 'dog27'],
  [41, '${{dog*(5/2)}}', 'dog*2.5'],
  [41, '${{dog*-3}}', 'dog*-3'],
  [42, '${{10/2/2}}', 2.5],
  [43, '${{12:24:41 3/8/2023}}', '12:24:41/8/2023'],
  [44, "${{'12:24:41 3/8/2023'}}", '12:24:41 3/8/2023'],
  [45, '${{$secret(abc*2,def+4)}}', 'abc*2>>def4'],
  [46, '${{$secret($secret(a,b), $secret(c,d))}}', 'a>>b>>c>>d'],
  [48, '${{$config(abc,def)}}', 'abc::def'],
  [49, `\${{$config('abc',"def")}}`, 'abc::"def"'],
  [50, '${{$config($secret(a,b)+c, $secret(c,d)+e)+f}}', 'a>>bc::c>>def'],
  [51, `\${{$config('<' + 'line-config-' + $instance() + '>', "")}}`, '<line-config-instance1>::""'],
  [52, '${{$config(abc,def),$config(ghi,jkl)}}', 'abc::def,ghi::jkl'],
  [53, '${{docker.io/redis:6.0.5}}', 'docker.io/redis:6.0.5'],
  [54, '${{docker.io/redis:6.0.5 + 678-9}}', 'docker.io/redis:6.0.5678-9'],
];

describe('the examples of the original language', () => {
  test.each(examples)('%i: %s', async (_, template, result) => {
    expect((await evaluateWith(template, { instance: 'instance1' })).value).toStrictEqual(result);
  });

  test('47: $secret with too few arguments, or without a provider', async () => {
    await expect(evaluateWith('${{$secret(abc)}}')).rejects.toMatchObject({ code: 'ExpressionArity' });
    expect(() => valueOf('${{$secret(abc,def)}}')).toThrow(ExpressionError);
  });
});

describe('what the original does beyond its examples', () => {
  test.each([
    // Words side by side: the second of each pair is skipped.
    ['${{a b c d}}', 'ac'],
    ['${{a@b}}', 'ab'],
    ['${{a # b}}', 'ab'],
    ['${{10%3}}', '103'],
    // Numbers.
    ['${{08}}', 8],
    ['${{1_000}}', 1000],
    ['${{0x1F}}', '0x1F'],
    // Brackets make text; a name before a parenthesis is dropped.
    ['${{[1+1]}}', '[2]'],
    ['${{ {a} }}', '{a}'],
    ['${{[a,b]}}', '[a,b]'],
    ['${{a(b)}}', 'b'],
    // Quotes: single ones go, double ones stay, both hide braces.
    ["${{'a}}b'}}", 'a}}b'],
    ['${{"a}}b"}}', '"a}}b"'],
    ["${{'it\\'s'}}", "it\\'s"],
    // Literal text.
    ['a ${{b', 'a ${{b'],
    ['$ {{b}} {{c}}', '$ {{b}} {{c}}'],
    ['${{a}}}', 'a}'],
    ['${{a}}${{b}}', 'ab'],
    ['', ''],
  ])('%s', (template, result) => {
    expect(valueOf(template)).toStrictEqual(result);
  });

  test('lists side by side append, maps merge', () => {
    const context = { inputs: { list: [1, 2], map: { a: 1 }, other: { b: 2 } } };
    expect(valueOf('${{$input(list) x $input(list)}}', context)).toEqual([1, 2, 1, 2]);
    expect(valueOf('${{$input(map) x $input(other)}}', context)).toEqual({ a: 1, b: 2 });
    expect(valueOf('${{n x $input(map)}}', context)).toBe('n{"a":1}');
  });

  test('lists and maps in joined text', () => {
    const context = { inputs: { list: ['x', [true, null]], map: { k: 1, a: { b: 2.5 } } } };
    expect(valueOf('v=${{$input(list)}}', context)).toBe('v=[x [true <nil>]]');
    expect(valueOf('v=${{$input(map)}}', context)).toBe('v=map[a:map[b:2.5] k:1]');
  });
});

describe('where the original crashes or alters digits, this does not', () => {
  test.each([
    ['${{a,}}', 'a,'],
    ['${{,a}}', ',a'],
    ['${{,}}', ','],
    ['${{redis:6.08}}', 'redis:6.08'],
    ['${{6.10}}', '6.10'],
    ['${{12:04:41}}', '12:04:41'],
    ['${{12345678901234567890}}', '12345678901234567890'],
    ['id-${{9007199254740993}}', 'id-9007199254740993'],
    ['${{9007199254740993 + 1}}', '9007199254740994'],
    ['${{12345678901234567890 - 12345678901234567889}}', 1],
    ['${{9007199254740993 * 3 / 3}}', '9007199254740993'],
    ['${{-0}}', 0],
    ['${{()}}', ''],
  ])('%s', (template, result) => {
    expect(valueOf(template)).toStrictEqual(result);
  });
});
