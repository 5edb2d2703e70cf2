import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REASONS } from '@symphony/model';
import { describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { ApiClient, openAccess } from '../../src/modes/k8s/client/index.js';
import { KubernetesMetrics } from '../../src/modes/k8s/kubernetes-metrics.js';
import { Elector } from '../../src/modes/k8s/leadership/index.js';
import { LEASE } from '../../src/modes/k8s/names.js';
import { Metrics } from '../../src/modules/metrics/index.js';
import { describeKubernetes, freshNamespace } from '../support/control-plane/index.js';
import { parsePrometheus, type Series, valueOf } from '../support/prometheus.js';

/** No term ends by itself meanwhile, however slow the machine is. */
const TIMING = { leaseMs: 60_000, renewDeadlineMs: 40_000, retryMs: 300 };

interface Rule {
  alert: string;
  expr: string;
}
const FILE = join(import.meta.dirname, '../../charts/symphony/files/alerts.yaml');
const { groups } = parse(readFileSync(FILE, 'utf8')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

function exprOf(alert: string): string {
  const found = rules.find((rule) => rule.alert === alert);
  expect(found, alert).toBeDefined();
  return found?.expr ?? '';
}

/** What an alert asks of a metric: the values of its labels. */
function askedOf(alert: string, metric: string): Record<string, string> {
  const [, labels = ''] = new RegExp(`${metric}\\{([^}]*)\\}`).exec(exprOf(alert)) ?? [];
  const asked = [...labels.matchAll(/(\w+)="([^"]*)"/g)].map(([, key = '', value = '']) => [key, value]);
  return Object.fromEntries(asked) as Record<string, string>;
}

describe('alerts', () => {
  test('of failing runs name reasons that there are, and none of what goes well or only waits', () => {
    const [, list = ''] = /reason=~"([^"]+)"/.exec(exprOf('SymphonyRunsFail')) ?? [];
    const named = list.split('|');
    expect(Object.keys(REASONS)).toEqual(expect.arrayContaining(named));
    expect(new Set(named).size).toBe(named.length);
    expect(named).toEqual(expect.arrayContaining(['ProviderFailed', 'Unhealthy', 'StoreRefused']));
    for (const quiet of [
      'Succeeded',
      'Inactive',
      'DryRun',
      'Suspended',
      'Pending',
      'TargetBusy',
      'TargetInUse',
    ])
      expect(named).not.toContain(quiet);
  });

  test('do not ask whether the store is up, which the memory of a leader always is', () => {
    for (const { alert, expr } of rules) expect(expr, alert).not.toContain('symphony_store_up');
  });
});

describeKubernetes('alerts', (cluster) => {
  test('that nobody leads listens to what the leader alone counts, and each replica is seen from the start', async () => {
    const metric = 'symphony_kubernetes_requests_total';
    const asked = askedOf('SymphonyNobodyLeads', metric);
    expect(Object.keys(asked).toSorted()).toEqual(['resource', 'status', 'verb']);
    const namespace = await freshNamespace(cluster(), 'alerts');
    const join = async (identity: string) => {
      const metrics = new Metrics();
      const counts = new KubernetesMetrics();
      counts.register(metrics);
      const scrape = async (): Promise<Series[]> => parsePrometheus(await metrics.render());
      const atFirst = await scrape();
      const access = await openAccess({ kubeconfig: cluster().kubeconfigFile });
      const client = new ApiClient({ access, onRequest: (record) => counts.request(record) });
      const log = { info: () => undefined, warn: () => undefined };
      const elector = new Elector({ client, namespace, name: LEASE, identity, timing: TIMING, log });
      onTestFinished(async () => {
        await elector.stop();
        await client.close();
      });
      elector.start();
      const renewals = async (): Promise<number | undefined> => valueOf(await scrape(), metric, asked);
      return { elector, atFirst, scrape, renewals };
    };
    const leader = await join('a');
    await expect.poll(() => leader.elector.isLeader, { timeout: 20_000 }).toBe(true);
    const follower = await join('b');
    for (const { atFirst } of [leader, follower]) {
      expect(exprOf('SymphonyNobodyLeads')).toContain('(symphony_kubernetes_events_total)');
      expect(valueOf(atFirst, 'symphony_kubernetes_events_total')).toBe(0);
      const orphaned = 'symphony_kubernetes_orphaned_objects_total';
      expect(valueOf(atFirst, orphaned, askedOf('SymphonyLeftBehind', orphaned))).toBe(0);
    }
    await expect.poll(() => follower.elector.leader?.identity, { timeout: 20_000 }).toBe('a');
    const before = (await leader.renewals()) ?? 0;
    await expect
      .poll(async () => (await leader.renewals()) ?? 0, { timeout: 20_000 })
      .toBeGreaterThan(before + 3);
    expect(valueOf(await follower.scrape(), metric)).toBeGreaterThan(0);
    expect(await follower.renewals()).toBeUndefined();
  });
});
