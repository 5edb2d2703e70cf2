import { rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { ApiClient, fixedAccess } from '../../../src/modes/k8s/client/index.js';
import { EventRecorder } from '../../../src/modes/k8s/events/index.js';
import { describeKubernetes } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import {
  instance,
  manifest,
  Person,
  solution,
  target,
  type SymphonyObject,
} from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { parsePrometheus, valueOf } from '../../support/prometheus.js';
import { ScriptWorld } from '../../support/script-world.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const POLL = { timeout: 60_000, interval: 100 };
const NO_FINALIZER = '{"metadata":{"finalizers":null}}';

interface ToldEvent {
  type: string;
  reason: string;
  message: string;
  action: string;
  reportingComponent: string;
  involvedObject: { kind: string; name: string; uid: string };
  series?: { count: number };
}

const has = (object: SymphonyObject | undefined, field: string): boolean =>
  Object.hasOwn(object?.status ?? {}, field);

describeKubernetes('at its object a person sees', (cluster) => {
  let world: ScriptWorld;
  let broken: ScriptWorld;
  let engine: KubernetesProcess;
  let me: Person;

  beforeAll(async () => {
    await installCustomResources(cluster());
    [world, broken] = await Promise.all([ScriptWorld.make(), ScriptWorld.make()]);
    me = new Person(cluster(), await cluster().createNamespace('told'));
    engine = await KubernetesProcess.start({
      kubeconfig: cluster().kubeconfigFile,
      namespaces: [me.namespace],
      args: [
        `--providers-script-allowed-folders=${world.folder},${broken.folder}`,
        '--reconcile-min-interval=1s',
        '--metrics-public=true',
      ],
    });
  });
  afterAll(async () => {
    await engine.stop();
    for (const each of [world, broken]) await each.dispose();
    await cluster().api.call('DELETE', `/api/v1/namespaces/${me.namespace}`);
  });

  const told = async (name: string): Promise<ToldEvent[]> => {
    const selector = `--field-selector=involvedObject.name=${name},involvedObject.kind=Instance`;
    const list = JSON.parse(await me.kubectl('get', 'events', selector, '-o', 'json')) as {
      items: ToldEvent[];
    };
    return list.items;
  };
  const words = async (name: string): Promise<string[]> => (await told(name)).map(({ reason }) => reason);
  const looks = async (name: string): Promise<number> =>
    (await world.notes()).filter((note) => note.instance === name && note.operation === 'get').length;
  const counted = async (name: string, labels: Record<string, string>): Promise<number> =>
    valueOf(parsePrometheus(await (await fetch(`${engine.url}/metrics`)).text()), name, labels) ?? 0;

  test('what it waits for, what was deployed, changed and put right, with kubectl as it is', async () => {
    await me.apply(instance('shop'));
    await expect.poll(() => words('shop'), POLL).toEqual(['SolutionNotFound']);
    await me.apply(target('shop', world));
    const components = [{ name: 'c', properties: { version: 1, password: 'hunter2' } }];
    await me.apply(manifest('solutions', 'shop', { components }));
    await me.ready('instance/shop');
    await expect.poll(() => words('shop'), POLL).toContain('Deployed');
    await me.apply(solution('shop', 2));
    await expect.poll(() => words('shop'), POLL).toContain('Updated');
    rmSync(join(world.folder, 'there', 'shop'));
    await me.kubectl('annotate', 'instance/shop', 'symphony/reconcile=now');
    await expect.poll(() => words('shop'), POLL).toContain('DriftRepaired');

    for (const seen of [
      await me.kubectl('describe', 'instance/shop'),
      await me.kubectl('events', '--for=instance/shop'),
    ]) {
      expect(seen).toMatch(/Warning +SolutionNotFound .*Create it/);
      expect(seen).toMatch(/Normal +Deployed .*Created c on shop\./);
      expect(seen).toMatch(/Normal +Updated .*pdated c on shop\./);
      expect(seen).toMatch(/Normal +DriftRepaired .*Created c on shop\./);
    }
    const events = await told('shop');
    expect(JSON.stringify(events)).not.toContain('hunter2');
    const { metadata } = await me.get('instances', 'shop');
    for (const { involvedObject, reportingComponent } of events) {
      expect(involvedObject).toMatchObject({ kind: 'Instance', name: 'shop', uid: metadata.uid });
      expect(reportingComponent).toBe('symphony-engine');
    }
  });

  test('nothing of looks that found nothing', async () => {
    const spec = { reconciliationPolicy: { state: 'active', interval: '1s' } };
    const bare = manifest('solutions', 'quiet', { components: [{ name: 'c' }] });
    await me.apply(target('quiet', world), bare, instance('quiet', spec));
    await me.ready('instance/quiet');
    await expect.poll(() => words('quiet'), POLL).toContain('Deployed');
    const before = await told('quiet');
    const since = await looks('quiet');
    await expect.poll(() => looks('quiet'), POLL).toBeGreaterThan(since + 5);
    expect(await told('quiet')).toEqual(before);
  });

  test('one event of a failure, however often it is tried, and what is left of a removal', async () => {
    const scripts = join(broken.folder, 'scripts');
    const fails = '#!/bin/sh\nexit 1\n';
    const whole = await readFile(join(scripts, 'apply.sh'), 'utf8');
    await writeFile(join(scripts, 'apply.sh'), fails);
    await me.apply(target('bad', broken), solution('bad'), instance('bad'));
    await expect.poll(() => counted('workqueue_retries_total', {}), POLL).toBeGreaterThan(2);
    await expect
      .poll(() => counted('symphony_kubernetes_events_total', { result: 'series' }), POLL)
      .toBeGreaterThan(0);
    const failures = (await told('bad')).filter(({ type }) => type === 'Warning');
    expect(failures.map(({ reason, action }) => `${reason} ${action}`)).toEqual(['ProviderFailed Reconcile']);
    const { status } = await me.get('instances', 'bad');
    expect(status?.statusDetails).toBe(failures[0]?.message);

    await writeFile(join(scripts, 'apply.sh'), whole);
    await me.ready('instance/bad');
    const remove = await readFile(join(scripts, 'remove.sh'), 'utf8');
    await writeFile(join(scripts, 'remove.sh'), fails);
    await me.kubectl('delete', '--wait=false', 'instance/bad');
    const removals = async (): Promise<string[]> =>
      (await told('bad')).filter(({ action }) => action === 'Remove').map(({ reason }) => reason);
    await me.until('instances', 'bad', (object) => object?.status?.status === 'Failed');
    expect((await me.get('instances', 'bad')).status).toMatchObject({
      deleteStartedAt: expect.stringMatching(/^\d{4}-/),
    });
    await writeFile(join(scripts, 'remove.sh'), remove);
    await expect.poll(removals, POLL).toContain('Removed');
  });

  test('what was left behind, and the metrics count it', async () => {
    const metric = 'symphony_kubernetes_orphaned_objects_total';
    await me.apply(target('left', world), solution('left'), instance('left'));
    await me.apply(
      target('asked', world),
      solution('asked'),
      instance('asked', {}, { annotations: { 'symphony/deletion-policy': 'orphan' } }),
    );
    await me.ready('instance/left', 'instance/asked');
    await me.kubectl('patch', 'instance/left', '--type=merge', `--patch=${NO_FINALIZER}`);
    await me.delete('instance/left', 'instance/asked');
    for (const name of ['left', 'asked']) await expect.poll(() => words(name), POLL).toContain('Orphaned');
    const [event] = (await told('left')).filter(({ reason }) => reason === 'Orphaned');
    expect(event).toMatchObject({ type: 'Warning', message: expect.stringContaining('c on left') });
    expect(await counted(metric, { kind: 'Instance', how: 'byHand' })).toBe(1);
    expect(await counted(metric, { kind: 'Instance', how: 'asked' })).toBe(1);
  });

  test('how many requests there were, by verb and resource, all of them in the page of metrics', async () => {
    const metric = 'symphony_kubernetes_requests_total';
    const written = { verb: 'patch', resource: 'instances/status', status: '2xx' };
    expect(await counted(metric, written)).toBeGreaterThan(3);
    expect(await counted(metric, { verb: 'create', resource: 'ledgers', status: '2xx' })).toBeGreaterThan(3);
    const scrape = await (await fetch(`${engine.url}/metrics`)).text();
    const page = await readFile(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
    const ours = [...scrape.matchAll(/^# TYPE (symphony_kubernetes_\S+)/gm)].map(([, name = '']) => name);
    expect(ours).toHaveLength(3);
    expect(new Set(page.match(/\bsymphony_kubernetes_[a-z_]+\b/g))).toEqual(new Set(ours));
  });

  test('how far a run is and since when, and whether runs are held back', async () => {
    await world.setPace(5);
    let during: Record<string, unknown> = {};
    // Watched from before it is there: a look after the fact might find it done.
    const shown = me.until('instances', 'slow', (object) => {
      if (has(object, 'progress')) during = { ...object?.status };
      return has(object, 'progress');
    });
    await Promise.all([shown, me.apply(target('slow', world), solution('slow'), instance('slow'))]);
    expect(during).toMatchObject({
      status: 'Reconciling',
      progress: { planned: 1, done: 0, run: expect.stringMatching(/^[0-9a-f-]{36}$/) },
      startedAt: expect.stringMatching(/^\d{4}-/),
    });
    await me.ready('instance/slow');
    await world.setPace(0);
    const after = (await me.get('instances', 'slow')).status as Record<string, unknown>;
    expect(after).toMatchObject({ startedAt: during['startedAt'] });
    expect(after).not.toHaveProperty('progress');

    await me.kubectl('annotate', 'instance/slow', 'symphony/suspend=true');
    await me.until('instances', 'slow', (object) => has(object, 'suspended'));
    await me.kubectl('annotate', 'instance/slow', 'symphony/suspend-');
    await me.until('instances', 'slow', (object) => !has(object, 'suspended'));
    const later = (await me.get('instances', 'slow')).status as Record<string, unknown>;
    expect(later).toMatchObject({ status: 'Succeeded', startedAt: during['startedAt'] });
    // It is we who said so, which is nothing to look into.
    expect(engine.output).not.toMatch(/Somebody else has changed a status/);
  });

  test('a series as kubectl shows it', async () => {
    const { server, ca, user } = cluster().admin;
    const headers = { authorization: `Bearer ${user.token}` };
    const client = new ApiClient({ access: fixedAccess(server, { headers, tls: { ca } }) });
    const events = new EventRecorder({
      client,
      instance: 'test',
      count: () => undefined,
      log: { debug: () => undefined },
      limits: { seriesEveryMs: 100 },
    });
    const { metadata } = await me.get('instances', 'shop');
    const about = {
      apiVersion: 'solution.symphony/v1',
      kind: 'Instance',
      namespace: me.namespace,
      name: 'shop',
      uid: metadata.uid ?? '',
    };
    const happening = {
      type: 'Warning',
      reason: 'ProviderTimeout',
      action: 'Reconcile',
      note: 'No answer.',
    } as const;
    for (let i = 0; i < 5; i++) events.record(about, happening);
    await expect
      .poll(() => me.kubectl('describe', 'instance/shop'), POLL)
      .toMatch(/Warning +ProviderTimeout +\d+s \(x5 over \d+s\) +symphony-engine +No answer\./);
    expect(await me.kubectl('events', '--for=instance/shop')).toMatch(
      /\(x5 over \d+s\) +Warning +ProviderTimeout/,
    );
    events.stop();
    await client.close();
  });
});
