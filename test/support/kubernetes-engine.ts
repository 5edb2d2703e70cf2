import { createApp } from '../../src/app.js';
import { loadConfig } from '../../src/config/index.js';
import { createLogger } from '../../src/modules/logging/index.js';
import { EngineClient } from './engine-client.js';

export interface KubernetesEngineOptions {
  kubeconfig: string;
  /** Where its Lease and its Secret are. */
  home: string;
  /** None: all. Only on a control plane of one's own, since it takes up what other tests do. */
  namespaces?: readonly string[];
}

/** An engine of Kubernetes mode in this process; `close` hands its leadership over. */
export async function startKubernetesEngine(
  options: KubernetesEngineOptions,
): Promise<{ client: EngineClient; close: () => Promise<void> }> {
  const { kubeconfig, home, namespaces = [] } = options;
  const flags = new Map([
    ['mode', 'k8s'],
    ['port', '0'],
    ['kubernetes.kubeconfig', kubeconfig],
    ['kubernetes.leaseNamespace', home],
    ['kubernetes.authentication', 'false'],
  ]);
  if (namespaces.length > 0) flags.set('kubernetes.namespaces', namespaces.join(','));
  const { config } = loadConfig({ flags, env: {} });
  const app = await createApp(config, createLogger({ level: 'fatal' }));
  await app.listen(0, '127.0.0.1');
  const client = new EngineClient(await app.getUrl());
  await client.login();
  return { client, close: () => app.close() };
}
