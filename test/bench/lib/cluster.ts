import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { builtMain } from '../../support/built.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { programs } from '../../support/control-plane/assets.js';
import type { AuditLog } from '../../support/control-plane/audit-log.js';
import { ControlPlane } from '../../support/control-plane/control-plane.js';
import { EngineClient } from '../../support/engine-client.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { parsePrometheus } from '../../support/prometheus.js';
import { scratchFolder } from './server.js';
import { memoryOf, processorTime } from './usage.js';

const PROVIDER_CALLS = 'symphony_provider_calls_total';

/** A control plane of its own, and the built engine as its operator, in one namespace. */
export interface BenchCluster {
  plane: ControlPlane;
  namespace: string;
  engine: KubernetesProcess;
  /** Of Kubernetes. */
  version: string;
  audit: AuditLog;
  usage(): Promise<ClusterUsage>;
  /** Calls to providers by the engine's process that runs now. */
  providerCalls(): Promise<number>;
  stop(): Promise<void>;
}

interface ClusterUsage {
  /** Seconds of processor time, of the engine's process that runs now. */
  engineCpu: number;
  /** Of the API server and etcd. */
  clusterCpu: number;
  /** Of the engine, in MiB: now, and the highest so far. NaN where there is no /proc. */
  rss: number;
  peakRss: number;
}

export async function startCluster(args: readonly string[] = []): Promise<BenchCluster> {
  const main = await builtMain();
  // Writes wait for the disk, as in a real cluster.
  const plane = await ControlPlane.start({ assets: await programs(), durable: true });
  const { cluster } = plane;
  await installCustomResources(cluster);
  const namespace = await cluster.createNamespace('bench');
  const { gitVersion } = await cluster.api.call<{ gitVersion: string }>('GET', '/version');
  const root = await scratchFolder();
  const engine = await KubernetesProcess.start({
    main,
    kubeconfig: cluster.kubeconfigFile,
    namespaces: [namespace],
    leaseSeconds: 15,
    args: ['--kubernetes-authentication=false', `--data-dir=${join(root, 'data')}`, ...args],
  });
  return {
    plane,
    namespace,
    engine,
    version: gitVersion,
    audit: await cluster.auditLog(),
    usage: async () => {
      const pids = [plane.apiServer.pid, plane.etcd.pid];
      const times = await Promise.all(pids.map((pid) => processorTime(pid ?? 0)));
      return {
        engineCpu: (await processorTime(engine.pid ?? 0)).own,
        clusterCpu: times.reduce((sum, { own }) => sum + own, 0),
        ...(await memoryOf(engine.pid ?? 0)),
      };
    },
    providerCalls: async () => {
      const client = new EngineClient(engine.url);
      await client.login();
      const answer = await fetch(`${engine.url}/metrics`, { headers: client.authorization });
      const calls = parsePrometheus(await answer.text()).filter(({ name }) => name === PROVIDER_CALLS);
      return calls.reduce((sum, { value }) => sum + value, 0);
    },
    async stop() {
      await engine.kill();
      await plane.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}
