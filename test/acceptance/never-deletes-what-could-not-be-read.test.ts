import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl } from '../../src/modules/providers/index.js';
import { lastReason, makeDue, sql, standaloneOnly, withoutTable } from '../support/behind-the-engine.js';
import { mockTopology, TestEngine } from '../support/engine.js';

/** "Could not read" is not "is not there": whatever fails to answer, nothing is removed, and what heals is healed. */
describe('never deletes because something could not be read', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start({ config: { 'reconcile.stepTimeoutSeconds': 1 } });
  });
  afterAll(() => engine.stop());

  /** Two components on a target of their own, deployed. */
  async function deploy(name: string) {
    const mock = mockControl(`unread-${name}`);
    await engine.target(`${name}-t`, { topologies: mockTopology(`unread-${name}`) });
    await engine.solution(`${name}-s`, [{ name: 'a', properties: { v: '1' } }, { name: 'b' }]);
    await engine.instance(name, { solution: `${name}-s`, target: { name: `${name}-t` } });
    await engine.settled('instances', name);
    return {
      mock,
      names: () => mock.contents.map((component) => component.name),
      deletes: () => mock.calls.filter((call) => call.action === 'delete'),
      change: () => engine.solution(`${name}-s`, [{ name: 'a', properties: { v: '2' } }, { name: 'b' }]),
      changed: () =>
        engine.until('the change to arrive', async () =>
          mock.contents.some((component) => component.properties?.v === '2') ? true : undefined,
        ),
    };
  }

  const onTables = standaloneOnly('there are no tables');
  for (const table of ['ledger', 'target_health', 'objects']) {
    onTables(`when the read of what is wanted fails: ${table} cannot be read`, async () => {
      const name = `read-${table.replace('_', '-')}`;
      const { names, deletes, mock } = await deploy(name);
      const before = mock.calls.length;
      await withoutTable(engine, table, async () => {
        await makeDue(engine, name);
        await engine.until('the run to fail', async () =>
          (await lastReason(engine, name)) === 'InternalError' ? true : undefined,
        );
      });
      expect(names()).toEqual(['a', 'b']);
      expect(deletes()).toEqual([]);
      // It did not even ask the target: without the desired state there is nothing to ask for.
      expect(mock.calls.slice(before).filter((call) => call.operation === 'apply')).toEqual([]);

      await engine.until('the lane to heal by itself', async () =>
        (await lastReason(engine, name)) === 'Succeeded' ? true : undefined,
      );
      expect(names()).toEqual(['a', 'b']);
      expect(deletes()).toEqual([]);
    });
  }

  it.each([
    ['fails', { failGet: true }, 'ObservationFailed'],
    ['does not answer', { hangGet: true }, 'ProviderTimeout'],
  ] as const)(
    'when a target %s, and the change arrives once it answers again',
    async (_how, faults, code) => {
      const name = `get-${code.toLowerCase()}`;
      const { mock, names, deletes, change, changed } = await deploy(name);
      mock.set(faults);
      await change();
      const failed = await engine.until('the instance to say so', async () => {
        const found = await engine.get('instances', name);
        return found?.status?.status === 'Failed' ? found : undefined;
      });
      // Whoever looks late finds it left alone already: the breaker is open.
      expect([code, 'TargetUnavailable']).toContain(failed.status?.reason);
      expect(names()).toEqual(['a', 'b']);
      mock.heal();
      await changed();
      await engine.settled('instances', name);
      expect(names()).toEqual(['a', 'b']);
      expect(deletes()).toEqual([]);
    },
  );

  it.each(['nothing', 'other'] as const)('when a target lies: it reports %s', async (lie) => {
    const name = `lie-${lie}`;
    const { mock, names, deletes, change, changed } = await deploy(name);
    mock.set({ lie });
    await change();
    await changed();
    await engine.settled('instances', name);
    mock.heal();
    await engine.ok('POST', `/solution/queue?instance=${name}&namespace=default`);
    await engine.settled('instances', name);
    expect(names()).toEqual(['a', 'b']);
    expect(deletes()).toEqual([]);
  });

  it('when a value cannot be had, of a component or of a binding', async () => {
    const { mock, names, deletes } = await deploy('value');
    await engine.solution('value-s', [
      { name: 'a', properties: { v: "${{$secret('not-there','key')}}" } },
      { name: 'b', properties: { v: '2' } },
    ]);
    await engine.settled('instances', 'value', 'Failed');
    expect(names()).toEqual(['a', 'b']);
    // What can be had is applied all the same.
    expect(mock.contents.find((component) => component.name === 'b')?.properties).toEqual({ v: '2' });

    await engine.target('value-t', {
      topologies: mockTopology('unread-value', { token: "${{$secret('not-there','key')}}" }),
    });
    await engine.until('the binding to be tried', async () => {
      const status = (await engine.get('instances', 'value'))?.status;
      return JSON.stringify(status).includes('The configuration of role') ? true : undefined;
    });
    expect(names()).toEqual(['a', 'b']);
    expect(deletes()).toEqual([]);
  });

  it('when a constraint cannot be evaluated', async () => {
    const { names, deletes } = await deploy('constraint');
    await engine.solution('constraint-s', [
      { name: 'a', constraints: "${{$equal($config('not-there','key'),'x')}}" },
      { name: 'b' },
    ]);
    const failed = await engine.until('the instance to say so', async () => {
      const found = await engine.get('instances', 'constraint');
      return found?.status?.status === 'Failed' ? found : undefined;
    });
    expect(failed.status?.reason).toBe('ExpressionFailed');
    expect(names()).toEqual(['a', 'b']);
    expect(deletes()).toEqual([]);
  });

  standaloneOnly('the API server stores none that its schema refuses')(
    'when the stored object is damaged',
    async () => {
      const { names, deletes } = await deploy('damaged');
      await sql(engine, `UPDATE objects SET spec = '{"components":"none"}' WHERE name = 'damaged-s'`);
      await makeDue(engine, 'damaged');
      await engine.until('the run to fail', async () =>
        (await lastReason(engine, 'damaged')) === 'Succeeded' ? undefined : true,
      );
      expect(names()).toEqual(['a', 'b']);
      expect(deletes()).toEqual([]);
    },
  );
});
