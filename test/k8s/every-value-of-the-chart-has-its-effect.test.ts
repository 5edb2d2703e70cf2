import { describe, expect, test } from 'vitest';
import { parseCommandLine } from '../../src/cli/args.js';
import { SIGNING_KEY } from '../../src/modes/k8s/names.js';
import { boundRules, chartArguments, helm, missingHelm, renderedChart } from '../support/chart.js';
import type { KubernetesObject } from '../support/control-plane/index.js';

const NAMESPACE = 'symphony-system';
const TOKEN = { credentials: { name: 'prometheus-token', key: 'token' } };

const render = (values: object = {}, options: readonly string[] = []): KubernetesObject[] =>
  renderedChart({ namespace: NAMESPACE, values }, options);

function specOf<T>(objects: readonly KubernetesObject[], kind: string): T {
  const found = objects.filter((object) => object.kind === kind);
  expect(found, kind).toHaveLength(1);
  return found[0]?.['spec'] as T;
}

interface Pod {
  metadata: { labels: Record<string, string>; annotations?: Record<string, string> };
  spec: {
    priorityClassName?: string;
    affinity?: object;
    containers: { args: string[]; env: { name: string }[]; volumeMounts: { name: string }[] }[];
    volumes: { name: string }[];
  };
}
const podOf = (objects: readonly KubernetesObject[], kind: string): Pod =>
  specOf<{ template: Pod }>(objects, kind).template;
const argsOf = (objects: readonly KubernetesObject[], kind: string): string[] =>
  podOf(objects, kind).spec.containers[0]?.args ?? [];

/** An object of one key: `a.b` is b in a. */
const nested = (key: string, value: unknown): object =>
  key.split('.').reduceRight<unknown>((inner, step) => ({ [step]: inner }), value) as object;

describe.skipIf(missingHelm())('every value of the chart has its effect', { timeout: 60_000 }, () => {
  test('what the chart says by flags is refused in `config`, with the value to set instead', () => {
    const everything = {
      namespaces: ['a'],
      'api.tls.secretName': 'certificate',
      'api.adminPasswordSecret': 'admin',
      'api.kubernetesAuthentication': false,
    };
    const { flags } = parseCommandLine(argsOf(render(everything), 'Deployment'));
    const own = [...flags.keys()];
    expect(own).toEqual(expect.arrayContaining(['port', 'queue.drainSeconds', 'http.tlsCert']));
    for (const key of own) {
      for (const config of [nested(key, 'x'), { [key]: 'x' }])
        expect(() => render({ ...everything, config }), key).toThrow(
          `config.${key} is for the chart to say: `,
        );
    }
    // Also where no flag would beat it: probes, rights and ports would not follow.
    for (const key of ['http.tlsCert', 'kubernetes.namespaces', 'kubernetes.authentication'])
      expect(() => render({ config: nested(key, 'x') })).toThrow(`config.${key} is for the chart to say: `);
    expect(() => render({ config: { queue: { drainSeconds: 5 } } })).toThrow('set the value drainSeconds');
    // What it says nothing of stays the user's, in the same groups too.
    const config = {
      queue: { concurrency: 4 },
      kubernetes: { leaseNamespace: 'b' },
      auth: { adminPasswordFile: '/secrets/password' },
    };
    const maps = render({ config }).filter(({ kind }) => kind === 'ConfigMap');
    expect(JSON.stringify(maps)).toContain('concurrency: 4');
  });

  test('what releases the cluster is started with all that the engine is given by its user', () => {
    const nodeAffinity = { preferredDuringSchedulingIgnoredDuringExecution: [] };
    const objects = render({
      config: { kubernetes: { kubeconfig: '/access/config' } },
      extraArgs: ['--kubernetes-lease-namespace=elsewhere'],
      extraEnv: [{ name: 'HTTPS_PROXY', value: 'http://proxy' }],
      extraVolumes: [{ name: 'access', secret: { secretName: 'access' } }],
      extraVolumeMounts: [{ name: 'access', mountPath: '/access' }],
      podAnnotations: { 'sidecar.istio.io/inject': 'false' },
      podLabels: { team: 'edge' },
      priorityClassName: 'important',
      affinity: { nodeAffinity, podAntiAffinity: {} },
    });
    const line = parseCommandLine(argsOf(objects, 'Job'));
    expect(line.command).toBe('release');
    expect(line.flags.get('kubernetes.leaseNamespace')).toBe('elsewhere');
    expect(line.configFile).toBe('/etc/symphony/config.yaml');
    const { metadata, spec } = podOf(objects, 'Job');
    const engine = podOf(objects, 'Deployment').spec;
    expect(spec.volumes).toEqual(engine.volumes);
    expect(spec.containers[0]?.volumeMounts).toEqual(engine.containers[0]?.volumeMounts);
    expect(spec.containers[0]?.env).toEqual(engine.containers[0]?.env);
    expect(metadata.annotations).toEqual({ 'sidecar.istio.io/inject': 'false' });
    expect(metadata.labels).toMatchObject({ team: 'edge', 'app.kubernetes.io/component': 'release' });
    expect(spec.priorityClassName).toBe('important');
    // What keeps the engine's pods apart could keep it from every node.
    expect(spec.affinity).toEqual({ nodeAffinity });
  });

  test('the ports of the API server can be tied to its addresses', () => {
    interface Policy {
      egress: { to?: object[]; ports?: { port: number }[] }[];
    }
    const ruleOf = (values: object) =>
      specOf<Policy>(render(values), 'NetworkPolicy').egress.find(({ ports }) =>
        ports?.some(({ port }) => port === 6443),
      );
    expect(ruleOf({})?.to).toBeUndefined();
    expect(ruleOf({ 'networkPolicy.apiServerCidrs': ['10.0.0.10/32', 'fd00::1/128'] })?.to).toEqual([
      { ipBlock: { cidr: '10.0.0.10/32' } },
      { ipBlock: { cidr: 'fd00::1/128' } },
    ]);
    expect(() => render({ 'networkPolicy.apiServerCidrs': ['10.0.0.10'] })).toThrow('apiServerCidrs');
  });

  test('a ServiceMonitor brings a token where /metrics takes none without', () => {
    const closed = { 'metrics.serviceMonitor.enabled': true, 'metrics.public': false };
    expect(() => render(closed)).toThrow('metrics.serviceMonitor.authorization');
    const objects = render({ ...closed, 'metrics.serviceMonitor.authorization': TOKEN });
    expect(specOf(objects, 'ServiceMonitor')).toMatchObject({ endpoints: [{ authorization: TOKEN }] });
    const open = specOf<{ endpoints: object[] }>(
      render({ 'metrics.serviceMonitor.enabled': true }),
      'ServiceMonitor',
    );
    expect(open.endpoints[0]).not.toHaveProperty('authorization');
  });

  test('the right to make the signing key can be taken away, and the one to read it stays', () => {
    const ofSecrets = (values: object) =>
      boundRules(render(values), NAMESPACE).filter(({ resources }) => resources?.includes('secrets'));
    const read = { apiGroups: [''], resources: ['secrets'], resourceNames: [SIGNING_KEY], verbs: ['get'] };
    expect(ofSecrets({})).toEqual([{ apiGroups: [''], resources: ['secrets'], verbs: ['create'] }, read]);
    expect(ofSecrets({ 'rbac.createSigningKey': false })).toEqual([read]);
  });

  test('its notes promise no provider that there is not', () => {
    // Notes are shown at an installation only.
    const { code, stdout, stderr } = helm([
      'install',
      ...chartArguments({ namespace: NAMESPACE }),
      '--dry-run=client',
    ]);
    expect(code, stderr).toBe(0);
    const [, notes = ''] = stdout.split('\nNOTES:\n');
    expect(notes).toContain('all namespaces');
    expect(notes).not.toMatch(/provider/i);
  });
});
