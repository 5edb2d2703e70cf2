import { join } from 'node:path';
import { expect, test } from 'vitest';
import { describeControlPlane, type KubernetesObject } from '../support/control-plane/index.js';

const CRDS = join(import.meta.dirname, '../../deploy/crds.yaml');
const LONG = 'a-name-of-more-than-sixty-one-characters-as-it-came-in-while-nobody-looked';

/** A definition as another engine left it: loose, with a conversion webhook, and installed by somebody else. */
const OF_ANOTHER_ENGINE = {
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: { name: 'targets.fabric.symphony', labels: { 'app.kubernetes.io/managed-by': 'Helm' } },
  spec: {
    group: 'fabric.symphony',
    scope: 'Namespaced',
    names: { plural: 'targets', singular: 'target', kind: 'Target', listKind: 'TargetList' },
    conversion: {
      strategy: 'Webhook',
      webhook: {
        conversionReviewVersions: ['v1'],
        clientConfig: { service: { name: 'gone', namespace: 'default', path: '/convert' } },
      },
    },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        subresources: { status: {} },
        schema: {
          openAPIV3Schema: {
            type: 'object',
            properties: {
              spec: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
              status: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
            },
          },
        },
      },
    ],
  },
};

const SPEC = {
  displayName: 'Edge',
  scope: 'edge',
  components: [{ name: 'agent', properties: { image: 'a:1' } }],
};
const STATUS = {
  provisioningStatus: {
    operationId: '',
    status: 'Reconciling: due to the queue',
    logErrors: true,
    output: { 'edge.agent': 'OK' },
    error: { code: 'Symphony: [500]', details: [{ code: 'x', message: 'm', target: 'edge', details: [] }] },
  },
  status: 'Reconciling',
  deployed: 1,
  properties: { removed: 'false', status: 'Succeeded' },
};

describeControlPlane("definitions in place of another engine's", (plane) => {
  const path = `/apis/fabric.symphony/v1/namespaces/default/targets/${LONG}`;
  const read = (): Promise<KubernetesObject> => plane().cluster.api.call('GET', path);

  test('objects stay, with spec and finalizers, and can be written, whatever their names and statuses', async () => {
    const { cluster } = plane();
    await cluster.kubectl(['create', '-f', '-'], { input: [OF_ANOTHER_ENGINE] });
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd/targets.fabric.symphony']);
    await cluster.api.call('POST', path.slice(0, path.lastIndexOf('/')), {
      apiVersion: 'fabric.symphony/v1',
      kind: 'Target',
      metadata: { name: LONG, finalizers: ['target.fabric.symphony/finalizer'] },
      spec: SPEC,
    });
    await cluster.api.call('PATCH', `${path}/status`, { status: STATUS });
    const before = await read();

    // As docs/kubernetes/crds.md says. What is there is replaced, what is not fails to be, and is created then.
    await cluster.tryKubectl(['replace', '-f', CRDS]);
    await cluster.tryKubectl(['create', '-f', CRDS]);
    await cluster.kubectl(['wait', '--for=condition=Established', 'crd', '--all']);
    const { spec } = await cluster.api.call<KubernetesObject & { spec: { conversion: object } }>(
      'GET',
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/targets.fabric.symphony',
    );
    expect(spec.conversion).toEqual({ strategy: 'None' });

    const after = await read();
    expect(after.metadata).toMatchObject({
      uid: before.metadata.uid,
      generation: 1,
      finalizers: ['target.fabric.symphony/finalizer'],
    });
    expect(after['spec']).toEqual(SPEC);
    const finalizers = [...(after.metadata.finalizers ?? []), 'another/finalizer'];
    await cluster.api.call('PATCH', path, { metadata: { finalizers } });
    const status = {
      status: 'Succeeded',
      provisioningStatus: { status: 'Succeeded', operationId: 'run', error: null },
    };
    await cluster.api.call('PATCH', `${path}/status`, { status });
    const written = await read();
    expect(written['status']).toMatchObject({ status: 'Succeeded', deployed: 1 });
    expect(written.metadata.generation).toBe(1);
    await cluster.api.call('PATCH', path, { spec: { displayName: 'Edge 2' } });
    await cluster.api.call('PATCH', path, { metadata: { finalizers: [] } });
    await cluster.api.call('DELETE', path);
    await cluster.api.until(path, (object) => object === undefined);
  });
});
