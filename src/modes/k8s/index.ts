import type { Logger } from 'pino';
import type { Mode } from '../../app.module.js';
import type { AppConfig } from '../../config/index.js';
import { K8sModule } from './k8s.module.js';
import { usersOf } from './proxy/index.js';
import { KubernetesRuntime } from './runtime.js';

/** Opens the way to the API server and wires the adapters of Kubernetes mode. `close` is for a start that fails afterwards. */
export async function openK8s(
  config: AppConfig,
  logger: Logger,
): Promise<{ mode: Mode; close: () => Promise<void> }> {
  const log = logger.child({ context: 'Kubernetes' });
  // Before anything is opened: a configuration that may not serve must not lead either.
  const users = usersOf(config);
  const runtime = await KubernetesRuntime.open(config, {
    debug: (fields) => log.debug(fields),
    info: (fields) => log.info(fields),
    warn: (fields) => log.warn(fields),
  });
  return {
    // The lanes are in the memory of one process: nobody else can have workers on them.
    mode: {
      module: K8sModule.forRuntime(runtime),
      sole: true,
      auth: { users, access: runtime.rest.accessOfMode },
      install: (fastify) => runtime.rest.install(fastify, () => runtime.elector.start()),
    },
    close: () => runtime.close(),
  };
}
