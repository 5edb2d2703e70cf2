import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl } from '../../src/modules/providers/index.js';
import { ledgerOf } from '../support/behind-the-engine.js';
import { mockTopology, TestEngine } from '../support/engine.js';

/** Texts that something on the way could take for a number, a date, markup or an expression. */
const TEXTS = {
  version: '1.10',
  zeros: '007',
  exponent: '1e3',
  id: '12345678901234567890',
  big: '99999999999999999999999999999999',
  markup: '<b>&amp;"\'</b> <>&',
  yes: 'yes',
  date: '2026-01-02',
  none: 'null',
  empty: '',
  spaces: '  two  ',
  lines: 'a\n\tb\r\nc',
  unicode: 'ö € 𝄞 \u2028',
  dollars: '$5 ${HOME} $$ {{ .Values.x }} $(date)',
  percent: '%20%s%%',
};
const NESTED = {
  list: ['1.10', 1.5, true, null, { id: '00012' }],
  count: 3,
  flag: false,
  deep: { '1.10': '1.10' },
};

describe('a value reaches the provider as it was declared', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start();
  });
  afterAll(() => engine.stop());

  it('whatever it looks like, in properties, metadata and through expressions', async () => {
    const mock = mockControl('values');
    const parameters = { ...TEXTS };
    const through = Object.fromEntries(
      Object.keys(TEXTS).map((key) => [`via-${key}`, `\${{$param('${key}')}}`]),
    );
    await engine.target('values-t', {
      topologies: mockTopology('values'),
      properties: { version: TEXTS.version, id: TEXTS.id },
    });
    await engine.solution('values-s', [
      {
        name: 'web',
        metadata: { id: TEXTS.id, version: TEXTS.version },
        parameters,
        properties: {
          ...TEXTS,
          ...through,
          NESTED,
          'of-target': "${{$property('version')}}",
          'id-of-target': "${{$property('id')}}",
          joined: "v${{$property('version')}}-${{$param('id')}}",
        },
      },
    ]);
    await engine.instance('values', { solution: 'values-s', target: { name: 'values-t' } });
    await engine.settled('instances', 'values');

    const [web] = mock.contents;
    const expected = {
      ...TEXTS,
      ...Object.fromEntries(Object.entries(TEXTS).map(([key, text]) => [`via-${key}`, text])),
      NESTED,
      'of-target': '1.10',
      'id-of-target': '12345678901234567890',
      joined: 'v1.10-12345678901234567890',
    };
    expect(web?.properties).toEqual(expected);
    expect(web?.metadata).toEqual({ id: '12345678901234567890', version: '1.10' });

    // The same again is no change: nothing on the way made something else of it.
    const writes = mock.writes;
    await engine.ok('POST', '/solution/queue?instance=values&namespace=default');
    await engine.settled('instances', 'values');
    expect(mock.writes).toBe(writes);
    const [row] = await ledgerOf(engine, 'values');
    expect(row).toMatchObject({ component: 'web', state: 'applied' });
    const read = await engine.get('solutions', 'values-s');
    expect(read?.spec.components).toMatchObject([{ properties: { ...TEXTS, NESTED } }]);
  });
});
