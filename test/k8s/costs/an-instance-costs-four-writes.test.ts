import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { AuditLog } from '../../support/control-plane/audit-log.js';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { EngineClient } from '../../support/engine-client.js';
import { instance, manifest, Person, solution } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { counted, measured, mockTarget, writesOf } from './measured.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

// By the audit log of a real API server.
describeKubernetes('what is asked of the API server', (cluster) => {
  let me: Person;
  let engine: KubernetesProcess;
  let audit: AuditLog;

  beforeAll(async () => {
    await installCustomResources(cluster());
    me = new Person(cluster(), await cluster().createNamespace('costs'));
    engine = await KubernetesProcess.start({
      kubeconfig: cluster().kubeconfigFile,
      namespaces: [me.namespace],
      // An idle engine asks for the Lease only to renew it, however slow an answer is.
      leaseSeconds: 60,
      // Nothing is periodic but what asks for it: a look that happens to be due would be counted.
      args: ['--kubernetes-authentication=false', '--reconcile-min-interval=1s', '--reconcile-interval=0'],
    });
    audit = await cluster().auditLog();
    await me.apply(mockTarget('site'), solution('app'));
    await me.ready('target/site');
    // The target gets our finalizer with the first that is put on it.
    await me.apply(onSite('first'));
    await me.ready('instance/first');
  });
  afterAll(async () => {
    await engine.stop();
    await cluster().api.call('DELETE', `/api/v1/namespaces/${me.namespace}`);
  });

  const onSite = (name: string, spec: object = {}): object =>
    instance(name, { solution: 'app', target: { name: 'site' }, ...spec });

  const DEPLOYED = new Map([
    ['create ledgers', 1],
    ['patch instances', 1],
    ['patch instances/status', 1],
    ['update ledgers', 1],
  ]);

  test('for an instance that is applied: four writes, and three reads at most', async () => {
    const cost = await measured(audit, me.namespace, async () => {
      await me.apply(onSite('applied'));
      await me.ready('instance/applied');
    });
    expect(writesOf(cost)).toEqual(DEPLOYED);
    const reads = ['instances', 'solutions', 'targets'].map((kind) => cost.requests.get(`get ${kind}`) ?? 0);
    expect(reads).toEqual([1, 1, 1]);
    expect(cost.requests.get('create events') ?? 0).toBeLessThanOrEqual(1);
  });

  test('for one that is posted: the post itself beside these four', async () => {
    const client = new EngineClient(engine.url);
    await client.login();
    const cost = await measured(audit, me.namespace, async () => {
      await client.instance('posted', { solution: 'app', target: { name: 'site' } }, me.namespace);
      await me.ready('instance/posted');
    });
    expect(writesOf(cost)).toEqual(new Map([['create instances', 1], ...DEPLOYED]));
  });

  test('for a change of its solution: three writes', async () => {
    await me.apply(solution('changed'), onSite('changed', { solution: 'changed' }));
    await me.ready('instance/changed');
    const hash = 'jsonpath={.status.deploymentHash}';
    const before = await me.kubectl('get', 'instance/changed', '-o', hash);
    const cost = await measured(audit, me.namespace, async () => {
      await me.apply(solution('changed', 2));
      await expect
        .poll(() => me.kubectl('get', 'instance/changed', '-o', hash), { timeout: 60_000 })
        .not.toBe(before);
      await me.ready('instance/changed');
    });
    expect(writesOf(cost)).toEqual(
      new Map([
        ['patch instances/status', 1],
        ['update ledgers', 2],
      ]),
    );
  });

  test('for a removal: four writes', async () => {
    await me.apply(onSite('removed'));
    await me.ready('instance/removed');
    const cost = await measured(audit, me.namespace, () => me.delete('instance/removed'));
    cost.writes.delete('patch instances/status');
    expect(cost.writes).toEqual(
      new Map([
        ['delete ledgers', 1],
        ['patch instances', 1],
        ['update ledgers', 2],
      ]),
    );
  });

  test('for many on a target that nothing was put on yet: its finalizer once', async () => {
    await me.apply(mockTarget('fresh'));
    await me.ready('target/fresh');
    const names = Array.from({ length: 10 }, (_, i) => `many-${i}`);
    const cost = await measured(audit, me.namespace, async () => {
      await me.apply(...names.map((name) => onSite(name, { target: { name: 'fresh' } })));
      await me.ready(...names.map((name) => `instance/${name}`));
    });
    expect(cost.writes.get('patch targets')).toBe(1);
    expect(cost.writes.get('create ledgers')).toBe(10);
    expect(cost.writes.get('patch instances')).toBe(10);
    expect(cost.writes.has('patch runhistories')).toBe(false);
  });

  test('for periodic looks that find nothing: no write, of instances and of targets', async () => {
    const often = { reconciliationPolicy: { state: 'active', interval: '1s' } };
    await me.apply(mockTarget('looked-at', often), onSite('looked-at', often));
    await me.ready('target/looked-at', 'instance/looked-at');
    const looks = (kind: string): Promise<number> =>
      counted(engine.url, 'symphony_runs_total', { kind, reason: 'Succeeded' });
    const cost = await measured(audit, me.namespace, async () => {
      for (const kind of ['Instance', 'Target']) {
        const before = await looks(kind);
        await expect.poll(() => looks(kind), { timeout: 60_000 }).toBeGreaterThan(before + 2);
      }
    });
    expect(cost.writes).toEqual(new Map());
    expect(cost.requests.has('create events')).toBe(false);
    await me.delete('instance/looked-at', 'target/looked-at');
  });

  test.each([
    ['a label', ['label', 'instance/first', 'shade=green']],
    [
      'a status that somebody edits',
      [
        'patch',
        'instance/first',
        '--subresource=status',
        '--type=merge',
        '--patch={"status":{"deployed":7}}',
      ],
    ],
  ])('for %s: one run at most', async (_what, args) => {
    const runs = (): Promise<number> => counted(engine.url, 'symphony_runs_total');
    const before = await runs();
    const cost = await measured(audit, me.namespace, () => me.kubectl(...args));
    expect((await runs()) - before).toBeLessThanOrEqual(1);
    expect([new Map(), new Map([['patch instances/status', 1]])]).toContainEqual(cost.writes);
  });

  test('while nothing happens: renewals of the Lease, and watches that are opened again', async () => {
    const cost = await measured(audit, me.namespace, () => Promise.resolve(), 20_000);
    const besides = [...cost.requests.keys()].filter(
      (what) => what !== 'update leases' && !what.startsWith('watch '),
    );
    expect(besides).toEqual([]);
    expect(cost.requests.get('update leases')).toBeGreaterThan(0);
  });

  test('for a restart: lists, no provider call, no object read or written', async () => {
    const before = await me.kubectl('get', 'instances,targets', '-o', 'json');
    await engine.stop();
    const cost = await measured(audit, me.namespace, () => engine.begin());
    expect(cost.writes).toEqual(new Map());
    expect(
      [...cost.requests.keys()].filter((what) => /^get (instances|targets|solutions)/.test(what)),
    ).toEqual([]);
    expect(await counted(engine.url, 'symphony_provider_calls_total')).toBe(0);
    expect(await me.kubectl('get', 'instances,targets', '-o', 'json')).toBe(before);
  });

  test('for what waits for something that is not there: one status, until it comes', async () => {
    const cost = await measured(audit, me.namespace, async () => {
      await me.apply(manifest('instances', 'waits', { solution: 'not-there', target: { name: 'site' } }));
      await me.until('instances', 'waits', (object) => object?.status?.reason === 'SolutionNotFound');
    });
    expect(cost.writes).toEqual(
      new Map([
        ['patch instances/status', 1],
        ['patch runhistories', 1],
      ]),
    );
  });
});
