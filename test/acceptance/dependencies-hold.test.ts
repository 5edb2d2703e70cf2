import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mockControl, type MockControl } from '../../src/modules/providers/index.js';
import { appliedOf } from '../support/behind-the-engine.js';
import { mockTopology, TestEngine } from '../support/engine.js';

const DB = { name: 'db' };
const API = { name: 'api', dependencies: ['db'] };
const WEB = { name: 'web', dependencies: ['api'] };

describe('what depends on something', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start();
  });
  afterAll(() => engine.stop());

  const names = (mock: MockControl): string[] => mock.contents.map((component) => component.name);
  /** Components of the calls that changed something, with their times. */
  const changes = (...mocks: MockControl[]) =>
    mocks
      .flatMap((mock) => mock.calls.filter((call) => call.operation === 'apply'))
      .sort((a, b) => a.startedAt - b.startedAt);
  const order = (...mocks: MockControl[]): string[] =>
    changes(...mocks).flatMap((call) => (call.worked ?? []).map((name) => `${call.action} ${name}`));

  function expectOneAfterTheOther(...mocks: MockControl[]): void {
    const calls = changes(...mocks);
    calls.slice(1).forEach((call, index) => {
      expect(call.startedAt).toBeGreaterThanOrEqual(calls[index]?.endedAt ?? Infinity);
    });
  }

  describe.each([
    ['in one call, which keeps the order', 'true'],
    ['in a call for each level', 'false'],
  ])('on one target, %s', (_how, keepsOrder) => {
    const of = (purpose: string): string => `${purpose}-${keepsOrder}`;

    async function deploy(
      name: string,
      faults: Parameters<MockControl['set']>[0] = {},
    ): Promise<MockControl> {
      const mock = mockControl(`dep-${name}`);
      mock.set(faults);
      await engine.target(`${name}-t`, { topologies: mockTopology(`dep-${name}`, { keepsOrder }) });
      // Declared in the wrong order on purpose.
      await engine.solution(`${name}-s`, [WEB, API, DB, { name: 'alone' }]);
      await engine.instance(name, { solution: `${name}-s`, target: { name: `${name}-t` } });
      return mock;
    }

    it('comes after it, and goes before it', async () => {
      const mock = await deploy(of('order'), { latencyMs: 20 });
      await engine.settled('instances', of('order'));
      const came = order(mock).filter((what) => !what.endsWith('alone'));
      expect(came).toEqual(['update db', 'update api', 'update web']);
      const before = mock.calls.length;
      await engine.ok('DELETE', `/instances/${of('order')}`);
      await engine.gone('instances', of('order'));
      const removals = mock.calls.slice(before).flatMap((call) => (call.action ? call.components : []));
      expect(removals.filter((name) => name !== 'alone')).toEqual(['web', 'api', 'db']);
    });

    it('is blocked, not failed, while that fails, and goes on when it succeeds', async () => {
      const mock = await deploy(of('blocked'), { failApply: ['db'] });
      const failed = await engine.settled('instances', of('blocked'), 'Failed');
      expect(failed.status?.reason).toBe('ProviderFailed');
      const [target] = failed.status?.targetStatuses ?? [];
      expect(target?.componentStatuses.map(({ name, status }) => [name, status])).toEqual([
        ['api', 'DependencyFailed'],
        ['db', 'ProviderFailed'],
        ['web', 'DependencyFailed'],
        ['alone', 'OK'],
      ]);
      expect(names(mock)).toEqual(['alone']);
      expect(order(mock)).not.toContain('update api');
      mock.heal();
      await engine.settled('instances', of('blocked'));
      expect(names(mock)).toEqual(['alone', 'db', 'api', 'web']);
    });

    it('keeps that from being removed while it cannot be removed itself', async () => {
      const mock = await deploy(of('kept'));
      await engine.settled('instances', of('kept'));
      mock.set({ failApply: ['web'] });
      await engine.ok('DELETE', `/instances/${of('kept')}`);
      await engine.settled('instances', of('kept'), 'Failed');
      expect(names(mock).sort()).toEqual(['api', 'db', 'web']);
      mock.heal();
      await engine.gone('instances', of('kept'));
      expect(names(mock)).toEqual([]);
    });

    it('is refused when it depends on itself in a circle, or on nothing, and nothing is touched', async () => {
      const mock = await deploy(of('circle'));
      await engine.settled('instances', of('circle'));
      const before = names(mock);
      for (const [code, components] of [
        ['DependencyCycle', [WEB, API, { name: 'db', dependencies: ['web'] }]],
        ['DependencyUnknown', [{ name: 'web', dependencies: ['nothing'] }]],
      ] as const) {
        await engine.solution(`${of('circle')}-s`, [...components]);
        await engine.until(`the instance to say ${code}`, async () =>
          (await engine.get('instances', of('circle')))?.status?.reason === code ? true : undefined,
        );
        expect(names(mock)).toEqual(before);
      }
      await engine.ok('DELETE', `/instances/${of('circle')}`);
      await engine.gone('instances', of('circle'));
      expect(names(mock)).toEqual([]);
    });
  });

  describe('across targets', () => {
    /** `db` on one target, `api` on another, by constraints. */
    async function deploy(name: string, faults: Parameters<MockControl['set']>[0] = {}) {
      const db = mockControl(`dep-${name}-db`);
      const api = mockControl(`dep-${name}-api`);
      db.set(faults);
      for (const site of ['db', 'api']) {
        await engine.target(`${name}-${site}`, {
          topologies: mockTopology(`dep-${name}-${site}`),
          properties: { of: name, site },
        });
      }
      const on = (site: string): string => `\${{$equal($property('site'),'${site}')}}`;
      await engine.solution(`${name}-s`, [
        { ...API, constraints: on('api') },
        { ...DB, constraints: on('db') },
      ]);
      await engine.instance(name, { solution: `${name}-s`, target: { selector: { of: name } } });
      return { db, api };
    }

    it('comes after it wherever that is, and goes before it', async () => {
      const { db, api } = await deploy('across', { latencyMs: 60 });
      await engine.settled('instances', 'across');
      expect(order(db, api)).toEqual(['update db', 'update api']);
      await engine.ok('DELETE', '/instances/across');
      await engine.gone('instances', 'across');
      expect(order(db, api)).toEqual(['update db', 'update api', 'delete api', 'delete db']);
      expectOneAfterTheOther(db, api);
    });

    it.each([
      ['fails', 'fails', { failApply: ['db'] }],
      ['cannot be read', 'unread', { failGet: true }],
    ])('is blocked while the target of that %s, and goes on when it is well', async (_how, name, faults) => {
      const { db, api } = await deploy(`x-${name}`, faults);
      // The run that comes first may make way for one that the solution has ordered.
      await engine.until(`x-${name} to be blocked`, async () => {
        const { targetStatuses = [] } = (await engine.get('instances', `x-${name}`))?.status ?? {};
        const reasons = targetStatuses.flatMap(({ componentStatuses }) =>
          componentStatuses.map((item) => `${item.name} ${item.status}`),
        );
        return reasons.includes('api DependencyFailed') ? true : undefined;
      });
      expect(names(api)).toEqual([]);
      db.heal();
      await engine.settled('instances', `x-${name}`);
      expect(await appliedOf(engine, `x-${name}`)).toEqual([`api@x-${name}-api`, `db@x-${name}-db`]);
      expect(order(db, api).at(-1)).toBe('update api');
    });
  });
});
