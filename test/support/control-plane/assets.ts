import { execFile, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { connectionOf, type ClusterAccess } from './connection.js';

/** Longest time in ms until the programs are there: they may have to be built, or somebody else is building them. */
export const BUILD_MS = 60 * 60_000;
const FIND_MS = 30_000;
const SCRIPT = fileURLToPath(new URL('../../../scripts/control-plane.mjs', import.meta.url));

/** Whether the tests shall use the cluster of KUBECONFIG. Never without being told: it may be one that people live on. */
export function usesOwnKubeconfig(): boolean {
  return process.env['SYMPHONY_TEST_KUBERNETES'] === 'kubeconfig';
}

let found: { problem?: string } | undefined;

/** Why the programs of a control plane cannot be had; undefined when they are there or can be built. */
export function missingPrograms(): string | undefined {
  found ??= findPrograms();
  return found.problem;
}

/** The folder with the programs, which are built when that is needed. @throws Error with what is missing */
export async function programs(): Promise<string> {
  const job = promisify(execFile)(process.execPath, [SCRIPT], { timeout: BUILD_MS });
  job.child.stderr?.pipe(process.stderr);
  return (await job).stdout.trim();
}

/** The cluster of KUBECONFIG, with kubectl of the PATH. @throws Error when it cannot be used */
export async function kubeconfigAccess(): Promise<ClusterAccess> {
  const view = ['config', 'view', '--raw', '--minify', '--flatten', '--output=json'];
  const { stdout } = await promisify(execFile)('kubectl', view, { timeout: FIND_MS });
  return { admin: connectionOf(stdout), kubectl: 'kubectl' };
}

function findPrograms(): { problem?: string } {
  const { status, stderr, error } = spawnSync(process.execPath, [SCRIPT, '--find'], {
    encoding: 'utf8',
    timeout: FIND_MS,
  });
  return status === 0 ? {} : { problem: error?.message ?? stderr.trim() };
}
