import { customResourceDefinition, CUSTOM_RESOURCES } from '../../src/modes/k8s/crds/index.js';
import type { TestCluster } from './control-plane/cluster.js';

/** Serves our kinds. Any number of test files may ask at once: what is there already stays untouched. */
export async function installCustomResources(cluster: TestCluster): Promise<void> {
  const definitions = CUSTOM_RESOURCES.map(customResourceDefinition);
  await cluster.kubectl(
    ['apply', '--server-side', '--force-conflicts', '--field-manager=symphony-tests', '-f', '-'],
    { input: definitions },
  );
  const names = definitions.map(({ metadata }) => `crd/${metadata.name}`);
  await cluster.kubectl(['wait', '--for=condition=Established', '--timeout=30s', ...names]);
}
