import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  evaluateTemplate,
  evaluateValue,
  type EvaluationContext,
  ExpressionError,
  hasExpression,
  LookupNeeded,
  LookupTable,
  referencesSecret,
  secretReferences,
} from '@symphony/expressions';
import { errorOf, valueOf } from './support.js';

/** Pieces that make text look like an expression often enough to reach deep into the evaluator. */
const pieces = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...'$()[]{}+-*/\\,.:?=&~\'"`@#%;|<> \n'.split('')) },
  {
    weight: 3,
    arbitrary: fc.constantFrom('${{', '}}', 'a', 'b1', '1', '08', '99999999999999999999', '0x1', 'true'),
  },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom(
        'param',
        'property',
        'input',
        'output',
        'trigger',
        'config',
        'secret',
        'val',
        'equal',
        'and',
        'not',
        'gt',
        'between',
        'in',
        'if',
        'base64encode',
        'base64decode',
        'json',
        'str',
        'jsonpath',
        'target',
        'nope',
      )
      .map((name) => `$${name}(`),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 5 }) },
);
const hostile = fc.array(pieces, { maxLength: 25 }).map((parts) => parts.join(''));
const template = fc.oneof(
  hostile,
  hostile.map((text) => `\${{${text}}}`),
);
const path = fc
  .array(
    fc.constantFrom(
      '$',
      '.',
      '..',
      '*',
      '[',
      ']',
      '?(',
      ')',
      '@',
      "'",
      '"',
      'a',
      '0',
      '-1',
      ':',
      ',',
      '==',
      '{',
      '}',
    ),
  )
  .map((parts) => parts.join(''));

function contextOf(values: Record<string, unknown>): EvaluationContext {
  const text = Object.fromEntries(Object.entries(values).map(([key, value]) => [key, JSON.stringify(value)]));
  const lookups = new LookupTable();
  lookups.set({ kind: 'config', object: 'a', field: 'a' }, { value: values });
  return {
    parameters: text,
    properties: text,
    inputs: values,
    outputs: { a: values },
    value: values,
    lookups,
  };
}
const contexts = fc
  .dictionary(fc.constantFrom('a', 'b1', '1', '__proto__'), fc.oneof(template, fc.jsonValue({ maxDepth: 3 })))
  .map(contextOf);

/** Runs and lets only the two documented errors pass. */
function survives(run: () => unknown): void {
  try {
    run();
  } catch (error) {
    if (!(error instanceof ExpressionError) && !(error instanceof LookupNeeded)) throw error;
  }
}

describe('any input ends in a value, an ExpressionError or a LookupNeeded', () => {
  test('templates', () => {
    fc.assert(
      fc.property(template, contexts, (text, context) => {
        survives(() => JSON.stringify(evaluateTemplate(text, context)));
        survives(() => referencesSecret(text));
      }),
      { numRuns: 3000 },
    );
  });

  test('JSON values', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), template, contexts, (value, text, context) => {
        survives(() => evaluateValue([value, { [text]: text }], context));
        survives(() => secretReferences([value, text]));
      }),
      { numRuns: 500 },
    );
  });

  test('JSONPaths', () => {
    fc.assert(
      fc.property(path, fc.jsonValue(), (text, value) => {
        survives(() => valueOf('${{$jsonpath($val(), $input(path))}}', { value, inputs: { path: text } }));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('what has no expression is untouched', () => {
  test('texts', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        fc.pre(!hasExpression(text));
        expect(evaluateTemplate(text, {})).toStrictEqual({ value: text, sensitive: false });
      }),
    );
  });

  test('JSON values are the very same object', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fc.pre(!hasExpression(JSON.stringify(value)));
        expect(evaluateValue(value, {}).value).toBe(value);
      }),
    );
  });
});

describe('limits', () => {
  const open = (text: string, count: number) => text.repeat(count);

  test.each([
    ['parentheses', `\${{${open('(', 5000)}1${open(')', 5000)}}}`, 'ExpressionTooDeep'],
    ['brackets', `\${{${open('[', 5000)}}}`, 'ExpressionTooDeep'],
    ['signs', `\${{${open('-', 5000)}1}}`, 'ExpressionTooDeep'],
    ['calls', `\${{${open('$not(', 5000)}}}`, 'ExpressionTooDeep'],
    ['steps', `\${{${open('1+', 250_000)}1}}`, 'ExpressionTooManySteps'],
    ['output', `\${{${open('abcdefghij.', 20_000)}a}}`, 'ExpressionTooLarge'],
    ['length', `\${{a}}${open('x', 1024 * 1024)}`, 'ExpressionTooLarge'],
    ['digits', `\${{${open('9', 900)}*${open('9', 900)}}}`, 'ExpressionTooLarge'],
  ])('%s', (_, text, code) => {
    expect(errorOf(() => valueOf(text)).code).toBe(code);
  });

  test('quotes that never close take linear time', () => {
    const text = `\${{${"'\\".repeat(40_000)}`;
    // Processor time, which a busy machine lengthens far less than the time.
    const before = process.cpuUsage();
    expect(valueOf(text)).toBe(text);
    const { user, system } = process.cpuUsage(before);
    expect((user + system) / 1000).toBeLessThan(2000);
  });

  test('values that double at each level', () => {
    const inputs = Object.fromEntries(
      Array.from({ length: 40 }, (_, level) => [
        `k${level}`,
        `\${{$input(k${level + 1})+$input(k${level + 1})}}`,
      ]),
    );
    const error = errorOf(() => valueOf('${{$input(k0)}}', { inputs }));
    expect(['ExpressionTooDeep', 'ExpressionTooManySteps', 'ExpressionTooLarge']).toContain(error.code);
  });

  test('a path that visits everything again and again', () => {
    const value = Array.from({ length: 300 }, () => Array.from({ length: 20 }, () => [1]));
    const run = () => valueOf("${{$val('$..*..*..*..*')}}", { value });
    expect(errorOf(run).code).toBe('ExpressionTooManySteps');
  });

  test('JSON nested too deep, as text and as a value', () => {
    const deep = `${open('[', 10_000)}${open(']', 10_000)}`;
    expect(errorOf(() => valueOf("${{$jsonpath($input(deep), '$')}}", { inputs: { deep } })).code).toBe(
      'ExpressionTooDeep',
    );
    expect(errorOf(() => evaluateValue(JSON.parse(deep), {})).code).toBe('ExpressionTooDeep');
    expect(errorOf(() => valueOf('${{$val()}}', { value: JSON.parse(deep) })).code).toBe('ExpressionTooDeep');
  });

  test('a value that contains itself', () => {
    const value: Record<string, unknown> = { text: '${{1}}' };
    value['self'] = value;
    expect(errorOf(() => evaluateValue(value, {})).code).toBe('ExpressionTooDeep');
  });
});
