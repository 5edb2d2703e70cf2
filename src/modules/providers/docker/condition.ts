import type { ComponentHealth } from '@symphony/provider-kit';
import type { Inspected } from './engine/engine.js';
import type { ContainerInspect } from './engine/types.js';

/** How a container fares. */
export interface Condition {
  /** Set when it should run and only this engine can see to that: what it does instead. */
  stopped?: string;
  /** It dies and dies again, or died for good. What it last wrote belongs into the message. */
  dying: boolean;
  health: ComponentHealth;
}

/** The engine starts a container anew without a growing pause when it ran for so long before. */
const STABLE_MS = 10_000;

/**
 * Judges by the restart policy: what the engine restarts by itself is not started by us.
 * @param exitCode of its last end, where the caller saw it
 */
export function conditionOf({ container, at }: Inspected, exitCode?: number): Condition {
  const state = container.State ?? {};
  const exit = exitText(container);
  switch (state.Status) {
    case 'running':
      return running(container, at, exitCode);
    case 'restarting':
      return dying(
        `It keeps dying: it ${exit} and was restarted ${times(container)}. The Docker engine starts it again, with ` +
          'growing pauses.',
      );
    case 'exited':
      return exited(container, exit);
    case 'created':
      return stopped('created', 'It was never started.');
    case 'paused':
      return stopped('paused', 'It was paused.');
    default:
      return stopped(state.Status ?? 'unknown', `Its state is ${state.Status ?? 'unknown'}.`);
  }
}

function running(container: ContainerInspect, at: number, exitCode: number | undefined): Condition {
  const state = container.State ?? {};
  const { RestartCount: restarts = 0 } = container;
  if (restarts > 0 && at - Date.parse(state.StartedAt ?? '') < STABLE_MS) {
    const how = exitCode === undefined ? 'died' : `ended with exit code ${exitCode}`;
    return dying(`It ${how} and was restarted ${times(container)}, the last time a moment ago.`);
  }
  if (state.Health?.Status === 'unhealthy') {
    const words = state.Health.Log?.at(-1)?.Output?.trim() ?? '';
    const message = `Its health check fails${words === '' ? '.' : `: ${words}`}`;
    return { dying: false, health: { status: 'unhealthy', message } };
  }
  if (state.Health?.Status === 'starting') {
    return { dying: false, health: { status: 'starting', message: 'Its health check has not passed yet.' } };
  }
  return { dying: false, health: { status: 'healthy', message: '' } };
}

/** The engine itself starts what exits, where the policy says so: there it was stopped by somebody. */
function exited(container: ContainerInspect, exit: string): Condition {
  const { Name: policy = 'no', MaximumRetryCount: most = 0 } = container.HostConfig?.RestartPolicy ?? {};
  const failed = container.State?.ExitCode !== 0;
  const gaveUp = policy === 'on-failure' && most > 0 && (container.RestartCount ?? 0) >= most;
  if (policy === 'always' || policy === 'unless-stopped' || (policy === 'on-failure' && failed && !gaveUp)) {
    return stopped('exited', `It was stopped: it ${exit}.`);
  }
  if (!failed) return { dying: false, health: { status: 'healthy', message: 'It ended with exit code 0.' } };
  return dying(
    gaveUp
      ? `It ${exit} and is not started any more, since it was restarted ${times(container)}.`
      : `It ${exit}, and its restart policy is 'no'.`,
  );
}

function exitText(container: ContainerInspect): string {
  const { ExitCode = 0, OOMKilled = false, Error: error = '' } = container.State ?? {};
  const why = error === '' ? '' : ` (${error})`;
  return `ended with exit code ${ExitCode}${OOMKilled ? ' for want of memory' : ''}${why}`;
}

function times({ RestartCount: count = 0 }: ContainerInspect): string {
  return count === 1 ? 'once' : `${count} times`;
}

function dying(message: string): Condition {
  return { dying: true, health: { status: 'unhealthy', message } };
}

function stopped(what: string, message: string): Condition {
  return { stopped: what, dying: false, health: { status: 'unhealthy', message } };
}
