import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { parse } from 'yaml';
import { parseCommandLine } from '../../src/cli/args.js';
import { loadConfig } from '../../src/config/index.js';
import { LEASE, SIGNING_KEY } from '../../src/modes/k8s/names.js';
import { runRelease } from '../../src/modes/k8s/release/command.js';
import type { PolicyRule } from '../support/control-plane/cluster.js';
import {
  describeKubernetes,
  freshNamespace,
  KubernetesApiError,
  type KubernetesObject,
} from '../support/control-plane/index.js';
import { installCustomResources } from '../support/custom-resources.js';
import { boundRules, chartArguments, helm, missingHelm, renderedChart } from '../support/chart.js';

const ROOT = join(import.meta.dirname, '../..');
const NAMESPACE = 'symphony-system';

const problem = missingHelm();
if (problem !== undefined && process.env['CI'] === 'true')
  throw new Error(`${problem}; with CI=true the chart is tested`);
if (problem !== undefined) process.stderr.write(`\nSKIPPED for want of Helm: the chart. ${problem}.\n`);

const render = (values: object = {}, options: readonly string[] = []): KubernetesObject[] =>
  renderedChart({ namespace: NAMESPACE, values }, options);
const ofKind = (objects: readonly KubernetesObject[], kind: string): KubernetesObject[] =>
  objects.filter((object) => object.kind === kind);
const one = (objects: readonly KubernetesObject[], kind: string): KubernetesObject => {
  const found = ofKind(objects, kind);
  expect(found, kind).toHaveLength(1);
  return found[0] as KubernetesObject;
};

interface PodSpec {
  containers: {
    args: string[];
    resources: { requests?: object; limits?: object };
    livenessProbe?: { httpGet: { path: string; scheme: string } };
    readinessProbe?: { httpGet: { path: string; scheme: string } };
  }[];
}
const podOf = (object: KubernetesObject): PodSpec =>
  (object['spec'] as { template: { spec: PodSpec } }).template.spec;
const argsOf = (object: KubernetesObject): string[] => podOf(object).containers[0]?.args ?? [];

/** Whether some rule allows it, of those that hold for all names. */
const allows = (rules: readonly PolicyRule[], verb: string, group: string, resource: string): boolean =>
  rules.some(
    (rule) =>
      !rule.resourceNames &&
      rule.verbs.some((each) => each === verb || each === '*') &&
      (rule.apiGroups ?? []).some((each) => each === group || each === '*') &&
      (rule.resources ?? []).some((each) => each === resource || each === '*'),
  );

describe.skipIf(problem)('the chart', { timeout: 120_000 }, () => {
  test('pleases the linter', () => {
    const { code, stdout } = helm(['lint', '--strict', join(ROOT, 'charts/symphony')]);
    expect(code, stdout).toBe(0);
  });

  test('has no star in a rule, and no Secret that is not named', () => {
    for (const values of [{}, { namespaces: ['a', 'b'] }, { 'api.writes': false }]) {
      const objects = render(values);
      const rules = [
        ...boundRules(objects),
        ...['a', 'b', NAMESPACE].flatMap((namespace) => boundRules(objects, namespace)),
      ];
      expect(rules.length).toBeGreaterThan(0);
      for (const rule of rules) {
        expect(JSON.stringify(rule)).not.toContain('*');
        if (!rule.resources?.some((resource) => resource === 'secrets' || resource === 'configmaps'))
          continue;
        // Its own key is created once, in its own namespace; no Secret is created by name.
        if (rule.verbs.join() === 'create') expect(boundRules(objects, NAMESPACE)).toContain(rule);
        else expect(rule.resourceNames?.length, JSON.stringify(rule)).toBeGreaterThan(0);
      }
      for (const verb of ['get', 'list', 'watch', 'update', 'delete'])
        expect(allows(rules, verb, '', 'secrets')).toBe(false);
    }
  });

  test('never lets the engine change a solution, or make and delete objects, where REST writes are off', () => {
    const rules = boundRules(render({ 'api.writes': false }));
    for (const resource of ['solutions', 'solutioncontainers', 'instances'])
      for (const verb of ['create', 'delete'])
        expect(allows(rules, verb, 'solution.symphony', resource)).toBe(false);
    expect(allows(rules, 'patch', 'solution.symphony', 'solutions')).toBe(false);
    // The finalizer and the status are written all the same.
    expect(allows(rules, 'patch', 'solution.symphony', 'instances')).toBe(true);
    expect(allows(rules, 'patch', 'solution.symphony', 'instances/status')).toBe(true);
  });

  test('with namespaces it has Roles there, and two small ClusterRoles, which can be left out', () => {
    const objects = render({ namespaces: ['a', 'b'] });
    expect(argsOf(one(objects, 'Deployment'))).toContain('--namespaces=a,b');
    expect(ofKind(objects, 'ClusterRole').map(({ metadata }) => metadata.name)).toEqual([
      `${NAMESPACE}-symphony-reviews`,
      `${NAMESPACE}-symphony-finalizers`,
    ]);
    // The other one is bound in these namespaces only.
    expect(ofKind(objects, 'ClusterRoleBinding').map(({ metadata }) => metadata.name)).toEqual([
      `${NAMESPACE}-symphony-reviews`,
    ]);
    expect(new Set(ofKind(objects, 'Role').map(({ metadata }) => metadata.namespace))).toEqual(
      new Set(['a', 'b', NAMESPACE]),
    );
    const values = { namespaces: ['a'], 'api.kubernetesAuthentication': false };
    const alone = render({ ...values, 'api.adminPasswordSecret': 'admin', 'rbac.finalizers': false });
    for (const kind of ['ClusterRole', 'ClusterRoleBinding']) expect(ofKind(alone, kind)).toEqual([]);
    const { flags } = parseCommandLine(argsOf(one(alone, 'Deployment')));
    expect(flags.get('kubernetes.authentication')).toBe('false');
    // An engine that nobody can log in to does not start.
    expect(() => render(values)).toThrow('api.adminPasswordSecret');
  });

  test('with namespaces its Roles there wait until what was deployed is removed, and the engine may let go of these alone', () => {
    const values = { namespaces: ['a'], 'rbac.providers.rules': [{ verbs: ['get'] }] };
    const objects = render({ ...values, 'rbac.providers.namespaces': ['a', 'elsewhere'] });
    const held = (rendered: KubernetesObject[]): string[] =>
      rendered
        .filter(({ metadata }) => metadata.finalizers?.includes('rights.engine.symphony/finalizer'))
        .map(({ kind = '', metadata }) => `${kind} ${metadata.namespace ?? ''}/${metadata.name}`)
        .toSorted();
    expect(held(objects)).toEqual([
      'Role a/symphony-objects',
      'Role a/symphony-providers',
      'RoleBinding a/symphony-finalizers',
      'RoleBinding a/symphony-objects',
      'RoleBinding a/symphony-providers',
    ]);
    const names = ['symphony-objects', 'symphony-providers', 'symphony-finalizers'];
    for (const kind of ['Deployment', 'Job'])
      expect(argsOf(one(objects, kind))).toContain(`--kubernetes-held-roles=${names.join(',')}`);
    const [role] = ofKind(objects, 'ClusterRole').filter(({ metadata }) =>
      metadata.name.endsWith('-finalizers'),
    );
    expect(role?.['rules']).toEqual([
      {
        apiGroups: ['rbac.authorization.k8s.io'],
        resources: ['roles'],
        resourceNames: names,
        verbs: ['get', 'patch'],
      },
      {
        apiGroups: ['rbac.authorization.k8s.io'],
        resources: ['rolebindings'],
        resourceNames: names,
        verbs: ['get', 'list', 'watch', 'patch'],
      },
      { apiGroups: [''], resources: ['namespaces'], verbs: ['get'] },
    ]);
    for (const without of [render(), render({ ...values, 'rbac.finalizers': false })]) {
      expect(held(without)).toEqual([]);
      expect(argsOf(one(without, 'Deployment')).join()).not.toContain('held-roles');
    }
  });

  test('Secrets are granted by name, and what providers deploy by a role of its own', () => {
    const rules = [{ apiGroups: ['apps'], resources: ['deployments'], verbs: ['create'] }];
    const objects = render({
      namespaces: ['a'],
      'rbac.secrets': [{ namespace: 'shop', names: ['database'] }],
      'rbac.providers.rules': rules,
    });
    expect(boundRules(objects, 'shop')).toEqual([
      { apiGroups: [''], resources: ['secrets'], resourceNames: ['database'], verbs: ['get'] },
    ]);
    expect(allows(boundRules(objects, 'a'), 'create', 'apps', 'deployments')).toBe(true);
    const roles = ofKind(objects, 'Role').map(({ metadata }) => metadata.name);
    expect(roles).toContain('symphony-providers');
    expect(ofKind(render(), 'Role').map(({ metadata }) => metadata.name)).not.toContain('symphony-providers');
    expect(
      boundRules(render({ 'rbac.providers.rules': rules })).some((rule) =>
        allows([rule], 'create', 'apps', 'deployments'),
      ),
    ).toBe(true);
  });

  test('the definitions outlive it', () => {
    const objects = render();
    expect(ofKind(objects, 'CustomResourceDefinition').length).toBe(8);
    for (const kept of ofKind(objects, 'CustomResourceDefinition'))
      expect(kept.metadata['annotations']).toMatchObject({ 'helm.sh/resource-policy': 'keep' });
    expect(ofKind(render({ 'crds.install': false }), 'CustomResourceDefinition')).toEqual([]);
  });

  test('the hook that releases runs before anything goes, with the same image and rights', () => {
    const objects = render();
    const job = one(objects, 'Job');
    expect(job.metadata['annotations']).toMatchObject({ 'helm.sh/hook': 'pre-delete' });
    expect(argsOf(job)).toEqual(['--mode=k8s', '--data-dir=/data', 'release']);
    expect(ofKind(render({ 'release.enabled': false }), 'Job')).toEqual([]);
  });

  test('a certificate makes probes and metrics speak TLS, and one of them is renewed without us', () => {
    const objects = render({ 'api.tls.certManager.enabled': true, 'metrics.serviceMonitor.enabled': true });
    const [container] = podOf(one(objects, 'Deployment')).containers;
    expect(container?.args).toContain('--tls-cert=/etc/symphony/tls/tls.crt');
    expect(container?.readinessProbe?.httpGet).toMatchObject({ path: '/readyz', scheme: 'HTTPS' });
    expect(container?.livenessProbe?.httpGet).toMatchObject({ path: '/healthz', scheme: 'HTTPS' });
    expect(one(objects, 'Certificate')['spec']).toMatchObject({ secretName: 'symphony-tls' });
    expect(one(objects, 'ServiceMonitor')['spec']).toMatchObject({ endpoints: [{ scheme: 'https' }] });
  });

  test('one replica may be evicted', () => {
    expect(ofKind(render(), 'PodDisruptionBudget')).toHaveLength(1);
    expect(ofKind(render({ replicas: 1 }), 'PodDisruptionBudget')).toEqual([]);
  });

  test('alerts and dashboard speak of metrics that exist', () => {
    const objects = render({ 'metrics.prometheusRule.enabled': true, 'metrics.dashboard.enabled': true });
    const known = readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8');
    const texts = [
      JSON.stringify(one(objects, 'PrometheusRule')),
      JSON.stringify(ofKind(objects, 'ConfigMap')),
    ];
    const names = texts
      .flatMap((text) => [...text.matchAll(/\b(symphony|workqueue|nodejs|http)_[a-z0-9_]+/g)])
      .map(([name]) => name.replace(/_(bucket|count|sum)$/, ''));
    expect(names.length).toBeGreaterThan(20);
    for (const name of names) expect(known, name).toContain(`\`${name}\``);
  });

  test('the engine knows every flag that it is started with', () => {
    const objects = render({
      namespaces: ['a', 'b'],
      config: { reconcile: { interval: '10m' } },
      'api.tls.secretName': 'certificate',
      'api.adminPasswordSecret': 'admin',
    });
    const line = parseCommandLine(argsOf(one(objects, 'Deployment')));
    expect(line.command).toBe('serve');
    expect(line.flags.get('kubernetes.namespaces')).toBe('a,b');
    expect(line.flags.get('http.tlsCert')).toBe('/etc/symphony/tls/tls.crt');
    expect(line.configFile).toBe('/etc/symphony/config.yaml');
    expect(parseCommandLine(argsOf(one(objects, 'Job'))).command).toBe('release');
  });

  test('a value that nobody knows is refused', () => {
    const { code, stderr } = helm([
      'template',
      ...chartArguments({ namespace: 'x', values: { replica: 2 } }),
    ]);
    expect(code).not.toBe(0);
    expect(stderr).toContain('replica');
  });

  test('the plain manifests are what it renders; `npm run manifests` writes them', () => {
    const folder = mkdtempSync(join(tmpdir(), 'symphony-manifests-'));
    try {
      const script = join(ROOT, 'scripts/manifests.mjs');
      const { status, stdout, stderr } = spawnSync(process.execPath, [script, folder], { encoding: 'utf8' });
      expect(status, stderr).toBe(0);
      const paths = stdout.trim().split('\n');
      expect(paths).toHaveLength(4);
      for (const path of paths)
        expect(readFileSync(join(ROOT, path), 'utf8'), path).toBe(readFileSync(join(folder, path), 'utf8'));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describeKubernetes('the chart on a real API server', (cluster) => {
  beforeAll(() => installCustomResources(cluster()));

  const everything = {
    'crds.install': false,
    'api.tls.secretName': 'certificate',
    'api.adminPasswordSecret': 'admin',
    config: { reconcile: { interval: '10m' } },
    'rbac.secrets': [{ namespace: 'default', names: ['database'] }],
    'networkPolicy.egress': [{ to: [{ ipBlock: { cidr: '10.0.0.0/8' } }] }],
    'metrics.dashboard.enabled': true,
  };

  test.skipIf(problem)('is valid throughout, strictly checked', async () => {
    const namespace = await freshNamespace(cluster(), 'chart');
    const input = renderedChart({ namespace, values: everything });
    await cluster().kubectl(['apply', '--server-side', '--dry-run=server', '--validate=strict', '-f', '-'], {
      input,
    });
  });

  test('the snippet for Argo CD speaks of both kinds that have a health', async () => {
    const text = readFileSync(join(ROOT, 'deploy/argocd-health.yaml'), 'utf8');
    const { data } = parse(text) as { data: Record<string, string> };
    expect(Object.keys(data)).toEqual([
      'resource.customizations.health.solution.symphony_Instance',
      'resource.customizations.health.fabric.symphony_Target',
    ]);
    const namespace = await freshNamespace(cluster(), 'argocd');
    await cluster().kubectl(['apply', '--dry-run=server', '-f', '-'], { namespace, input: text });
  });

  test.skipIf(problem)('its pods pass the restricted Pod Security standard', async () => {
    const namespace = await freshNamespace(cluster(), 'restricted');
    await cluster().kubectl([
      'label',
      `namespace/${namespace}`,
      'pod-security.kubernetes.io/enforce=restricted',
    ]);
    const objects = renderedChart({ namespace, values: everything });
    await cluster().api.call('POST', `/api/v1/namespaces/${namespace}/serviceaccounts`, {
      metadata: { name: 'symphony' },
    });
    for (const object of [one(objects, 'Deployment'), one(objects, 'Job')]) {
      const pod = { metadata: { name: object.metadata.name }, spec: podOf(object) };
      await cluster().api.call('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, pod);
    }
    // The standard is really asked for here.
    const loose = { metadata: { name: 'loose' }, spec: { containers: [{ name: 'c', image: 'x' }] } };
    await expect(
      cluster().api.call('POST', `/api/v1/namespaces/${namespace}/pods?dryRun=All`, loose),
    ).rejects.toThrow(KubernetesApiError);
  });

  test.skipIf(problem)(
    'installs, upgrades and goes; the service account may what it should, and nothing more',
    async () => {
      const namespace = await freshNamespace(cluster(), 'release');
      const work = await freshNamespace(cluster(), 'work');
      const other = await freshNamespace(cluster(), 'other');
      const values = { 'crds.install': false, namespaces: [work] };
      const run = (...args: string[]): void => {
        const { code, stderr } = helm(args, cluster().kubeconfigFile);
        expect(code, stderr).toBe(0);
      };
      run('install', ...chartArguments({ namespace, values }));
      const can = async (verb: string, what: string, where: string): Promise<boolean> => {
        const [, group = '', resource, subresource = '', name = ''] =
          /^(?:([\w.-]+)\/)?(\w+)(?:\/(\w+))?(?:#(.+))?$/.exec(what) ?? [];
        const { status } = await cluster().api.call<KubernetesObject & { status: { allowed: boolean } }>(
          'POST',
          '/apis/authorization.k8s.io/v1/subjectaccessreviews',
          {
            spec: {
              user: `system:serviceaccount:${namespace}:symphony`,
              resourceAttributes: { namespace: where, verb, group, resource, subresource, name },
            },
          },
        );
        return status.allowed;
      };
      // The server learns of new roles a moment later.
      await expect
        .poll(() => can('patch', 'solution.symphony/instances/status', work), { timeout: 10_000 })
        .toBe(true);
      expect(await can('create', 'engine.symphony/ledgers', work)).toBe(true);
      expect(await can('update', `coordination.k8s.io/leases#${LEASE}`, namespace)).toBe(true);
      expect(await can('list', 'solution.symphony/instances', other)).toBe(false);
      expect(await can('get', `secrets#${SIGNING_KEY}`, namespace)).toBe(true);
      expect(await can('get', 'secrets#another', namespace)).toBe(false);
      expect(await can('list', 'secrets', namespace)).toBe(false);
      expect(await can('get', 'secrets', work)).toBe(false);
      expect(await can('create', 'pods', work)).toBe(false);

      run('upgrade', ...chartArguments({ namespace, values: { ...values, replicas: 3 } }));
      // No kubelet runs the hook here: the same is done with the same rights.
      const { status } = await cluster().api.call<KubernetesObject & { status: { token: string } }>(
        'POST',
        `/api/v1/namespaces/${namespace}/serviceaccounts/symphony/token`,
        { apiVersion: 'authentication.k8s.io/v1', kind: 'TokenRequest', spec: {} },
      );
      const { server, ca } = cluster().admin;
      const engine = cluster().kubectlAs({ server, ca, user: { token: status.token } });
      onTestFinished(() => engine.close());
      const job = one(renderedChart({ namespace, values }), 'Job');
      const flags = new Map(parseCommandLine(argsOf(job)).flags);
      flags.set('kubernetes.kubeconfig', engine.kubeconfigFile);
      flags.set('kubernetes.leaseNamespace', namespace);
      const said: string[] = [];
      const io = { out: (text: string) => said.push(text), err: (text: string) => said.push(text) };
      expect(await runRelease(loadConfig({ flags, env: {} }).config, io), said.join('')).toBe(0);
      expect(said.join('')).toMatch(/ and 3 Roles and RoleBindings/);
      run('uninstall', 'symphony', `--namespace=${namespace}`, '--no-hooks');
      const roles = `/apis/rbac.authorization.k8s.io/v1/namespaces/${work}/rolebindings/symphony-finalizers`;
      await cluster().api.until(roles, (object) => object === undefined, 10_000);
      await expect
        .poll(() => can('list', 'solution.symphony/instances', work), { timeout: 10_000 })
        .toBe(false);
    },
  );
});
