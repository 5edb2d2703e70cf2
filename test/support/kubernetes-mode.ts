import { it } from 'vitest';
import { missingPrograms, usesOwnKubeconfig } from './control-plane/assets.js';
import type { TestCluster } from './control-plane/cluster.js';
import { describeKubernetes, sharedCluster } from './control-plane/describe.js';
import { installCustomResources } from './custom-resources.js';
import { runElsewhere, type EnginePlace } from './engine.js';

const PASSWORD = 'for tests of acceptance';
/** Paths whose namespace is `default` when none is named. */
const OF_OBJECTS = /^\/(instances|targets|solutions|solutioncontainers|solution|jobs|plan|explain)\b/;

let cluster: Promise<TestCluster> | undefined;

/** The cluster of the places that this file has opened. */
export function clusterOfPlaces(): Promise<TestCluster> {
  cluster ??= sharedCluster().then(async (shared) => {
    await installCustomResources(shared);
    return shared;
  });
  return cluster;
}

/**
 * Runs a file of the acceptance suite in Kubernetes mode. Its tests and what they expect stay as they are: engines get a
 * namespace of their own in the shared cluster, which takes the place of `default`.
 * @param load imports the file
 */
export async function acceptanceInKubernetes(name: string, load: () => Promise<unknown>): Promise<void> {
  if (missingPrograms() !== undefined && !usesOwnKubeconfig()) {
    describeKubernetes(`acceptance: ${name}`, () => it('runs', load));
    return;
  }
  runElsewhere(openPlace);
  await load();
}

/** The namespace of an engine. */
export function namespaceOf(url: string): string {
  return url.replace(/^kubernetes:/, '');
}

async function openPlace(url: string | undefined): Promise<EnginePlace> {
  const shared = await clusterOfPlaces();
  const namespace = url === undefined ? await shared.createNamespace('acceptance') : namespaceOf(url);
  return {
    url: `kubernetes:${namespace}`,
    flags: {
      mode: 'k8s',
      'kubernetes.kubeconfig': shared.kubeconfigFile,
      'kubernetes.namespaces': namespace,
      'kubernetes.leaseNamespace': namespace,
      'auth.adminPassword': PASSWORD,
      // The suite speaks as the engine's own users.
      'kubernetes.authentication': false,
    },
    password: PASSWORD,
    namespace,
    outgoing: (path, body) => ({ path: pathIn(namespace, path), body: bodyIn(namespace, body) }),
    incoming: (text) => text.replaceAll(namespace, 'default'),
    drop: async () => {
      if (url !== undefined) return;
      await letAllGo(shared, namespace);
      await shared.api.call('DELETE', `/api/v1/namespaces/${namespace}`);
    },
  };
}

function pathIn(namespace: string, path: string): string {
  if (!OF_OBJECTS.test(path)) return path;
  const [route = '', query = ''] = path.split('?');
  const parameters = new URLSearchParams(query);
  if ((parameters.get('namespace') ?? 'default') === 'default') parameters.set('namespace', namespace);
  return `${route}?${parameters.toString()}`;
}

function bodyIn(namespace: string, body: unknown): unknown {
  if (typeof body !== 'object' || body === null || !('metadata' in body)) return body;
  const { metadata } = body as { metadata: { namespace?: string } | null };
  const named = metadata?.namespace ?? 'default';
  return { ...body, metadata: { ...metadata, namespace: named === 'default' ? namespace : named } };
}

/** Whoever stops an engine does not wait for what it deployed: nobody is there to take it away. */
async function letAllGo(shared: TestCluster, namespace: string): Promise<void> {
  for (const kind of ['instances', 'targets', 'ledgers']) {
    const names = await shared.kubectl(['get', kind, '-o', 'name'], { namespace });
    for (const name of names.split('\n').filter((line) => line !== '')) {
      const patch = '--patch={"metadata":{"finalizers":null}}';
      await shared.tryKubectl(['patch', name, '--type=merge', patch], { namespace });
    }
  }
}
