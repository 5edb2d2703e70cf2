import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TargetSpec, type ComponentSpec } from '@symphony/model';
import type { ProviderCall, TargetProvider } from '@symphony/provider-kit';
import { sampleCall } from '@symphony/provider-kit/conformance';
import { scriptProvider } from './index.js';

const SAMPLE = fileURLToPath(new URL('../../../../samples/script', import.meta.url));

/** For tests: folders of their own, with the sample's scripts or with scripts that misbehave. */
export class ScriptFolder {
  private constructor(readonly root: string) {}

  static async make(): Promise<ScriptFolder> {
    const folder = new ScriptFolder(await mkdtemp(join(tmpdir(), 'script-provider-')));
    await cp(SAMPLE, folder.scripts, { recursive: true });
    return folder;
  }

  get scripts(): string {
    return join(this.root, 'scripts');
  }

  get staging(): string {
    return join(this.root, 'staging');
  }

  get state(): string {
    return join(this.root, 'state');
  }

  path(name: string): string {
    return join(this.root, name);
  }

  /** Replaces a script; `body` is shell, in which $1 and $2 are the protocol's and $out is the output to write. */
  async script(name: 'get.sh' | 'apply.sh' | 'remove.sh', body: string): Promise<void> {
    const suffix = name === 'get.sh' ? '-get-output' : '-output';
    const text = `#!/bin/sh\nout="\${1%.json}${suffix}.json"\nroot='${this.root}'\n${body}\n`;
    await rm(join(this.scripts, name), { force: true });
    await writeFile(join(this.scripts, name), text);
    await chmod(join(this.scripts, name), 0o755);
  }

  provider(config: Record<string, string> = {}, allowedFolders = [this.root]): TargetProvider {
    return scriptProvider({ allowedFolders, stagingRoot: this.staging }).create(
      {
        scriptFolder: this.scripts,
        getScript: 'get.sh',
        applyScript: 'apply.sh',
        removeScript: 'remove.sh',
        ...config,
      },
      { role: 'instance', provider: 'providers.target.script' },
    );
  }

  call(components: readonly ComponentSpec[], overrides: Partial<ProviderCall> = {}): ProviderCall {
    return sampleCall(components, { ...this.target(), ...overrides });
  }

  target(): Pick<ProviderCall, 'target'> {
    const spec = Object.assign(new TargetSpec(), { properties: { stateFolder: this.state } });
    return { target: { name: 'target', uid: 'target-uid', spec } };
  }

  /** Names of all files of runs that are still there, traces included. */
  async leftFiles(): Promise<string[]> {
    const entries = await readdir(this.staging, { recursive: true, withFileTypes: true }).catch(() => []);
    return entries.filter((entry) => entry.name !== 'processes').map((entry) => entry.name);
  }

  async read(name: string): Promise<string> {
    return readFile(this.path(name), 'utf8');
  }

  async mkdir(name: string): Promise<string> {
    await mkdir(this.path(name), { recursive: true });
    return this.path(name);
  }

  async dispose(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }
}

/** Waits for what no event tells of: the doings of a process that is not ours. */
export async function until(
  condition: () => Promise<boolean>,
  what: string,
  limitMs = 10_000,
): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`${what} did not happen within ${limitMs} ms`);
    await delay(10);
  }
}

/** Whether a process runs; one that is dead and only waits to be buried does not. */
export async function runs(pid: number): Promise<boolean> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  return stat !== '' && !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
}
