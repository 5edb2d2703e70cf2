import { describe, expect, test } from 'vitest';
import {
  evaluateTemplate,
  evaluateValue,
  gatherLookups,
  type LookupAnswer,
  type LookupNeed,
  LookupNeeded,
  LookupTable,
  resolveLookups,
} from '@symphony/expressions';
import { echo, evaluateWith } from './support.js';

function provider(answers: Record<string, unknown>): (need: LookupNeed) => Promise<LookupAnswer> {
  return async ({ object, field }) => {
    await Promise.resolve();
    const key = `${object}/${field}`;
    return key in answers
      ? { value: answers[key] }
      : { failure: 'NotFound', message: 'there is no such field' };
  };
}

describe('needs', () => {
  test('independent needs are asked in one round, equal ones once', async () => {
    const lookups = new LookupTable();
    const asked: string[] = [];
    let rounds = 0;
    const value = {
      a: '${{$config(x,1)}}-${{$config(x,2)}}',
      b: ['${{$secret(y,1) + $config(x,1)}}', 'plain'],
    };
    const result = await resolveLookups(
      lookups,
      (need) => {
        asked.push(`${need.kind} ${need.object} ${need.field}`);
        return echo(need);
      },
      () => {
        rounds += 1;
        return evaluateValue(value, { lookups });
      },
    );
    expect(result.value).toEqual({ a: 'x::1-x::2', b: ['y>>1x::1', 'plain'] });
    expect(asked.toSorted()).toEqual(['config x 1', 'config x 2', 'secret y 1']);
    expect(rounds).toBe(2);
  });

  test('provider, overlays and names of any type', async () => {
    const needs: LookupNeed[] = [];
    await evaluateWith("${{$config(vault::app, '', first, 2)}}${{$secret(a.b,1)}}", {}, (need) => {
      needs.push(need);
      return echo(need);
    });
    expect(needs).toEqual([
      { kind: 'config', provider: 'vault', object: 'app', field: '', overlays: ['first', '2'] },
      { kind: 'secret', object: 'a.b', field: '1' },
    ]);
  });

  test('several evaluations of one run can be gathered too', () => {
    const lookups = new LookupTable();
    const texts = ['${{$config(a,b)}}', '${{1}}', '${{$config(c,d)}}'];
    try {
      gatherLookups(texts, (text) => evaluateTemplate(text, { lookups }));
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(LookupNeeded);
      expect((error as LookupNeeded).needs.map((need) => need.object)).toEqual(['a', 'c']);
    }
  });

  test('the branch that is not chosen asks for nothing', async () => {
    const result = await evaluateWith('${{$if(true, a, $secret(b,c))}}', {}, () =>
      Promise.reject(new Error('asked')),
    );
    expect(result).toEqual({ value: 'a', sensitive: false });
  });
});

describe('configuration', () => {
  test('texts found are templates, in lists and maps too, with the same context', async () => {
    const fetch = provider({
      'app/all': { host: 'h-${{$instance()}}', list: ['${{$config(app,port)}}', 1], text: '1.10' },
      'app/port': '${{8000+80}}',
    });
    const { value } = await evaluateWith('${{$config(app,all)}}', { instance: 'i' }, fetch);
    expect(value).toEqual({ host: 'h-i', list: [8080, 1], text: '1.10' });
  });

  test('a circle is an error, the same field twice is not', async () => {
    const fetch = provider({ 'a/x': '${{$config(b,x)}}', 'b/x': '${{$config(a,x)}}', 'c/x': 'v' });
    await expect(evaluateWith('${{$config(a,x)}}', {}, fetch)).rejects.toMatchObject({
      code: 'ExpressionCircular',
    });
    expect((await evaluateWith('${{$config(c,x)+$config(c,x)}}', {}, fetch)).value).toBe('vv');
  });

  test('configuration that refers to ever more configuration ends', async () => {
    const fetch = (need: LookupNeed) => Promise.resolve({ value: `\${{$config(${need.object}x,f)}}` });
    await expect(evaluateWith('${{$config(a,f)}}', {}, fetch)).rejects.toMatchObject({
      code: 'ExpressionTooDeep',
    });
  });

  test('more look-ups than a run may make are refused', async () => {
    const text = Array.from({ length: 1001 }, (_, index) => `\${{$config(o${index},f)}}`).join('');
    await expect(evaluateWith(text)).rejects.toMatchObject({ code: 'ExpressionTooManySteps' });
  });
});

describe('failures', () => {
  test('each kind has its code; only one that a retry may mend is not the fault of the spec', async () => {
    const answer = (failure: 'NotFound' | 'NoProvider' | 'Failed') => () =>
      Promise.resolve({ failure, message: 'because' } as const);
    const template = '${{$config(app,port)}}';
    await expect(evaluateWith(template, {}, answer('NotFound'))).rejects.toMatchObject({
      code: 'ExpressionLookupNotFound',
      status: 400,
      message: 'In ${{$config(app,port)}}: configuration "app", field "port": because.',
    });
    await expect(evaluateWith(template, {}, answer('NoProvider'))).rejects.toMatchObject({
      code: 'ExpressionNoProvider',
    });
    await expect(evaluateWith(template, {}, answer('Failed'))).rejects.toMatchObject({
      code: 'ExpressionLookupFailed',
      status: 503,
    });
    expect(() => evaluateTemplate(template, {})).toThrow('no configuration provider is available');
  });

  test('a provider that throws counts as one that could not be read, without its words', async () => {
    const fetch = () => Promise.reject(new Error('password=hunter2'));
    const failure = evaluateWith('${{$secret(a,b)}}', {}, fetch);
    await expect(failure).rejects.toMatchObject({ code: 'ExpressionLookupFailed' });
    await expect(failure).rejects.not.toThrow('hunter2');
  });

  test('an aborted run ends with the reason of the abort', async () => {
    const controller = new AbortController();
    const lookups = new LookupTable();
    const fetch = (): Promise<LookupAnswer> => {
      controller.abort(new Error('stopped'));
      return Promise.reject(new Error('late'));
    };
    const run = () => evaluateTemplate('${{$config(a,b)}}', { lookups });
    await expect(resolveLookups(lookups, fetch, run, controller.signal)).rejects.toThrow('stopped');
  });

  test('a run that does not use the table is a mistake of the caller, not an endless loop', async () => {
    const run = () => evaluateTemplate('${{$config(a,b)}}', { lookups: new LookupTable() });
    const table = new LookupTable();
    await expect(resolveLookups(table, echo, run)).rejects.toThrow('the table it was given');
  });
});
