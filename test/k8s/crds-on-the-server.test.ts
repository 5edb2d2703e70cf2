import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { parseAllDocuments } from 'yaml';
import {
  describeKubernetes,
  freshNamespace,
  KubernetesApiError,
  type KubernetesObject,
} from '../support/control-plane/index.js';
import { installCustomResources } from '../support/custom-resources.js';

type Spec = Record<string, unknown>;

const manifest = (apiVersion: string, kind: string, name: string, spec?: unknown): KubernetesObject => ({
  apiVersion,
  kind,
  metadata: { name },
  ...(spec === undefined ? {} : { spec }),
});
const target = (name: string, spec?: unknown): KubernetesObject =>
  manifest('fabric.symphony/v1', 'Target', name, spec);
const solution = (name: string, spec?: unknown): KubernetesObject =>
  manifest('solution.symphony/v1', 'Solution', name, spec);
const instance = (name: string, spec: unknown): KubernetesObject =>
  manifest('solution.symphony/v1', 'Instance', name, spec);
const ledger = (name: string, spec: Spec): KubernetesObject =>
  manifest('engine.symphony/v1', 'Ledger', name, {
    owner: { kind: 'Instance', namespace: 'n', name: 'i', uid: 'u' },
    targetUid: 't',
    targetName: 'edge',
    ...spec,
  });

const APPLY = ['apply', '--validate=strict', '-f', '-'];
const SAMPLES = join(import.meta.dirname, '../../samples/kubernetes');
const GOOD_INSTANCE = { solution: 'app:1', target: { name: 'edge' } };

describeKubernetes('our kinds on a real API server', (cluster) => {
  beforeAll(() => installCustomResources(cluster()));

  const listOf = (namespace: string, { apiVersion, kind }: KubernetesObject): string =>
    `/apis/${apiVersion}/namespaces/${namespace}/${String(kind).toLowerCase()}s`;
  const pathOf = (namespace: string, object: KubernetesObject): string =>
    `${listOf(namespace, object)}/${object.metadata.name}`;
  // As it is sent: kubectl drops what is null.
  const create = (namespace: string, object: KubernetesObject): Promise<KubernetesObject> =>
    cluster().api.call('POST', `${listOf(namespace, object)}?fieldValidation=Strict`, object);
  const read = (namespace: string, object: KubernetesObject): Promise<KubernetesObject> =>
    cluster().api.call('GET', pathOf(namespace, object));

  test('are accepted without a warning', async () => {
    for (const name of ['instances.solution.symphony', 'ledgers.engine.symphony']) {
      const { status } = await cluster().api.call<
        KubernetesObject & { status: { conditions: { type: string; status: string; message: string }[] } }
      >('GET', `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`);
      expect(status.conditions).toContainEqual(
        expect.objectContaining({ type: 'Established', status: 'True' }),
      );
      // What the server does not like about a schema stands here.
      expect(status.conditions.find(({ type }) => type === 'NonStructuralSchema')).toBeUndefined();
    }
  });

  describe('take what people apply', () => {
    const samples = parseAllDocuments(readFileSync(join(SAMPLES, 'accepted-spellings.yaml'), 'utf8')).map(
      (document) => document.toJS() as KubernetesObject,
    );

    test.each(
      samples.map((sample): [string, KubernetesObject] => [
        `${String(sample.kind)} ${sample.metadata.name}`,
        sample,
      ]),
    )('%s, strictly checked, and again without a new generation', async (_name, sample) => {
      const namespace = await freshNamespace(cluster());
      await cluster().kubectl(APPLY, { namespace, input: [sample] });
      const first = await read(namespace, sample);
      expect(await cluster().kubectl(APPLY, { namespace, input: [sample] })).toMatch(/unchanged|configured/);
      const second = await read(namespace, sample);
      expect(second.metadata.generation).toBe(1);
      expect(second.metadata.generation).toBe(first.metadata.generation);
      expect(second['spec']).toEqual(first['spec']);
    });

    test('also by server-side apply, twice, without a difference', async () => {
      const namespace = await freshNamespace(cluster());
      // Server-side apply takes null for a value, and a map cannot be that.
      const input = samples.filter(({ spec }) => (spec as Spec | null | undefined)?.['metadata'] !== null);
      for (const round of [1, 2]) {
        await cluster().kubectl(['apply', '--server-side', '--validate=strict', '-f', '-'], {
          namespace,
          input,
        });
        for (const sample of input)
          expect((await read(namespace, sample)).metadata.generation, `round ${round}`).toBe(1);
      }
      const { code } = await cluster().tryKubectl(['diff', '--server-side', '-f', '-'], { namespace, input });
      expect(code).toBe(0);
    });

    test('two appliers own the components they name, and nobody the others', async () => {
      const namespace = await freshNamespace(cluster());
      const apply = (manager: string, name: string): Promise<string> =>
        cluster().kubectl(['apply', '--server-side', `--field-manager=${manager}`, '-f', '-'], {
          namespace,
          input: [solution('shared', { components: [{ name, properties: { by: manager } }] })],
        });
      await apply('one', 'a');
      await apply('two', 'b');
      await apply('one', 'c');
      const { spec } = (await read(namespace, solution('shared'))) as KubernetesObject & {
        spec: { components: { name: string }[] };
      };
      expect(spec.components.map(({ name }) => name).sort()).toEqual(['b', 'c']);
    });

    test('a state left out of a policy is active, a spec left out is empty', async () => {
      const namespace = await freshNamespace(cluster());
      const bare = target('bare');
      const with1h = target('with-1h', { reconciliationPolicy: { interval: '1h' } });
      await cluster().kubectl(APPLY, { namespace, input: [bare, with1h] });
      expect((await read(namespace, bare))['spec']).toEqual({});
      expect((await read(namespace, with1h))['spec']).toEqual({
        reconciliationPolicy: { interval: '1h', state: 'active' },
      });
    });

    test('properties of any shape come back as they were sent', async () => {
      const namespace = await freshNamespace(cluster());
      const properties = {
        deep: { list: [1, 'two', { three: null }], 'odd key/': true },
        text: '${{$secret(a,b)}}',
      };
      const free = solution('free', { components: [{ name: 'c', properties, sidecars: [{ properties }] }] });
      await create(namespace, free);
      expect((await read(namespace, free))['spec']).toEqual(free['spec']);
    });
  });

  describe('refuse with a sentence', () => {
    const refusals: [string, KubernetesObject, RegExp][] = [
      ['an unknown field', target('x', { topologys: [] }), /unknown field "spec.topologys"/],
      [
        'a name that is too long',
        target('x'.repeat(65)),
        /Name length should be between 1 and 61 characters/,
      ],
      [
        'a version that is too long',
        solution(`a-v-${'x'.repeat(62)}`),
        /Name length should be between 1 and 61/,
      ],
      ['an instance without a spec', instance('x', undefined), /spec: Required value/],
      ['an instance without a solution', instance('x', { target: { name: 't' } }), /spec.solution: Required/],
      ['no target', instance('x', { solution: 's' }), /target must have either name or valid selector/],
      [
        'an empty target',
        instance('x', { solution: 's', target: { name: '', selector: {} } }),
        /target must have either name or valid selector/,
      ],
      [
        'an interval that is none',
        instance('x', { ...GOOD_INSTANCE, reconciliationPolicy: { interval: 'soon' } }),
        /interval must be a duration such as 30m, 1h or 90s/,
      ],
      [
        'a negative interval',
        target('x', { reconciliationPolicy: { interval: '-1m' } }),
        /interval must be a duration/,
      ],
      ['a state that is none', instance('x', { ...GOOD_INSTANCE, activeState: 'sleepy' }), /activeState/],
      [
        'two components of one name',
        solution('x', { components: [{ name: 'a' }, { name: 'a' }] }),
        /spec.components\[1\]: Duplicate value: {"name":"a"}/,
      ],
      [
        'a number in a binding',
        target('x', { topologies: [{ bindings: [{ role: 'r', provider: 'p', config: { n: 1 } }] }] }),
        /config.n/,
      ],
    ];

    test.each(refusals)('%s', async (_what, object, words) => {
      const namespace = await freshNamespace(cluster());
      await expect(create(namespace, object)).rejects.toThrow(words);
    });

    test('that kubectl passes on', async () => {
      const namespace = await freshNamespace(cluster());
      const attempt = (object: KubernetesObject): Promise<{ stderr: string }> =>
        cluster().tryKubectl(APPLY, { namespace, input: [object] });
      expect((await attempt(instance('x', { solution: 's' }))).stderr).toContain(
        'The Instance "x" is invalid: spec.target: Invalid value',
      );
      expect((await attempt(target('x', { topologys: [] }))).stderr).toContain('unknown field "');
    });

    const changes: [string, KubernetesObject, Spec, RegExp][] = [
      [
        'another scope of a target',
        target('x', { scope: 'a' }),
        { scope: 'b' },
        /The target is already created. Cannot change Scope of the target./,
      ],
      ['a scope that is taken away', target('x', { scope: 'a' }), {}, /Cannot change Scope of the target/],
      [
        'another scope of an instance',
        instance('x', { ...GOOD_INSTANCE, scope: 'a' }),
        { ...GOOD_INSTANCE, scope: 'b' },
        /The instance is already created. Cannot change Scope of the instance./,
      ],
      [
        'a dry run that is switched on',
        target('x', { isDryRun: false }),
        { isDryRun: true },
        /The target is already deployed. Cannot change isDryRun from false to true./,
      ],
      [
        'a dry run that was never spoken of',
        instance('x', GOOD_INSTANCE),
        { ...GOOD_INSTANCE, isDryRun: true },
        /The instance is already deployed. Cannot change isDryRun from false to true./,
      ],
      [
        'another root resource',
        solution('a-v-1', { rootResource: 'a' }),
        { rootResource: 'b' },
        /rootResource is immutable/,
      ],
    ];

    test.each(changes)('%s', async (_what, before, spec, words) => {
      const namespace = await freshNamespace(cluster());
      const stored = await create(namespace, before);
      const change = cluster().api.call('PUT', pathOf(namespace, stored), { ...stored, spec });
      await expect(change).rejects.toThrow(words);
    });

    test('a dry run may begin as one, and be switched off', async () => {
      const namespace = await freshNamespace(cluster());
      for (const isDryRun of [true, false])
        await cluster().kubectl(APPLY, { namespace, input: [target('x', { scope: 'a', isDryRun })] });
    });
  });

  describe('the status', () => {
    const setStatus = (
      namespace: string,
      object: KubernetesObject,
      status: object,
    ): Promise<KubernetesObject> =>
      cluster().api.call('PATCH', `${pathOf(namespace, object)}/status`, { status });

    test('is written apart, keeps the generation, and shows in the columns and selectors', async () => {
      const namespace = await freshNamespace(cluster());
      const object = instance('shown', GOOD_INSTANCE);
      await cluster().kubectl(APPLY, { namespace, input: [object] });
      const status = {
        status: 'Failed',
        reason: 'TargetNotFound',
        statusDetails: 'The target does not exist.',
        deployed: 2,
        targets: 3,
        lastModified: new Date().toISOString(),
        observedGeneration: 1,
        orders: [{ order: 'symphony/reconcile', request: '1', handledAt: new Date().toISOString() }],
        conditions: [
          {
            type: 'Ready',
            status: 'False',
            reason: 'TargetNotFound',
            message: 'The target does not exist.',
            observedGeneration: 1,
            lastTransitionTime: new Date().toISOString(),
          },
        ],
      };
      const written = await setStatus(namespace, object, status);
      expect(written['status']).toEqual(status);
      expect(written.metadata.generation).toBe(1);

      const table = await cluster().kubectl(['get', 'inst', '-o', 'wide'], { namespace });
      expect(table).toMatch(
        /^NAME +STATUS +TARGETS +DEPLOYED +REASON +AGE +CHANGED +DETAILS +SOLUTION +TARGET/,
      );
      expect(table).toMatch(
        /shown +Failed +3 +2 +TargetNotFound +\S+ +\S+ +The target does not exist. +app:1 +edge/,
      );
      const found = async (selector: string): Promise<string> =>
        cluster().kubectl(['get', 'inst', '-o', 'name', `--field-selector=${selector}`], { namespace });
      expect(await found('status.reason=TargetNotFound,spec.target.name=edge')).toContain('shown');
      expect(await found('status.status=Succeeded')).toBe('');
      expect(await cluster().kubectl(['get', 'symphony'], { namespace })).toContain(
        'instance.solution.symphony/shown',
      );
    });

    test('that another engine left behind neither hinders its object nor stays unreadable', async () => {
      const namespace = await freshNamespace(cluster());
      const object = target('moved', { isDryRun: false });
      await cluster().kubectl(APPLY, { namespace, input: [object] });
      const status = {
        status: 'Reconciling: due to a queue that was full',
        provisioningStatus: { operationId: '', status: 'Reconciling: due to …', error: {} },
        properties: { status: 'Succeeded', removed: 'false' },
      };
      expect((await setStatus(namespace, object, status))['status']).toEqual(status);
      await cluster().kubectl(['label', 'target/moved', 'a=b'], { namespace });
    });
  });

  describe('a ledger', () => {
    const row = (key: string): object => ({
      key,
      component: 'c',
      role: 'instance',
      provider: 'p',
      bindingHash: 'h',
      scope: 'default',
      binding: { role: 'instance', provider: 'p', config: { token: "${{$secret('a','b')}}" } },
      applied: { name: 'c', properties: { nothing: null, deep: [{ a: 1 }] }, unknownToUs: true },
      digest: '',
      state: 'intent',
      generation: '1',
      updatedAt: new Date().toISOString(),
    });
    const put = async (namespace: string, spec: Spec): Promise<KubernetesObject> => {
      const found = await read(namespace, ledger('l', spec));
      return cluster().api.call('PUT', pathOf(namespace, found), {
        ...found,
        spec: { ...(found['spec'] as Spec), ...spec },
      });
    };

    test('refuses the write of a leader that was deposed, and keeps what it holds exactly', async () => {
      const namespace = await freshNamespace(cluster());
      const entries = [row('one'), row('two')];
      await create(namespace, ledger('l', { epoch: 7, entries }));
      const { spec } = (await read(namespace, ledger('l', {}))) as KubernetesObject & { spec: Spec };
      expect(spec['entries']).toEqual(entries);

      await put(namespace, { epoch: 7, entries: [row('one')] });
      await put(namespace, { epoch: 8, entries: [] });
      const refused = put(namespace, { epoch: 7, entries });
      await expect(refused).rejects.toThrow(KubernetesApiError);
      await expect(refused).rejects.toMatchObject({
        status: 422,
        message: expect.stringContaining('A newer leader') as string,
      });
    });

    test('is found by owner and by target', async () => {
      const namespace = await freshNamespace(cluster());
      await cluster().kubectl(APPLY, { namespace, input: [ledger('l', { epoch: 1 })] });
      for (const selector of ['spec.owner.uid=u', 'spec.targetUid=t'])
        expect(
          await cluster().kubectl(['get', 'ledgers', '-o', 'name', `--field-selector=${selector}`], {
            namespace,
          }),
        ).toContain('ledger.engine.symphony/l');
    });

    test('holds a thousand components', async () => {
      const namespace = await freshNamespace(cluster());
      const entries = Array.from({ length: 1000 }, (_, n) => row(`key-${n}`));
      await create(namespace, ledger('large', { epoch: 1, entries }));
    });
  });
});
