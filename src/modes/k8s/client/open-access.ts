import type { ClusterAccess } from './cluster-access.js';
import { InPodAccess } from './in-pod-access.js';
import { KubeconfigAccess } from './kubeconfig-access.js';

interface AccessOptions {
  /** A kubeconfig to use whatever else there is. */
  kubeconfig?: string | undefined;
  /** A context of it. */
  context?: string | undefined;
  env?: NodeJS.ProcessEnv;
}

/**
 * The way to the cluster: the kubeconfig that was named, by configuration or by `KUBECONFIG`; else, in a pod, its service
 * account; else `~/.kube/config`.
 * @throws ClusterConfigError when there is none that can be used
 */
export function openAccess({
  kubeconfig,
  context,
  env = process.env,
}: AccessOptions = {}): Promise<ClusterAccess> {
  const named = kubeconfig !== undefined || context !== undefined || !!env.KUBECONFIG;
  return !named && env.KUBERNETES_SERVICE_HOST
    ? InPodAccess.open(env)
    : KubeconfigAccess.open({ path: kubeconfig, context, env });
}
