import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What a script does, in shell: `$out` is the file for its answer, `$folder` the one of its target. */
export interface OddScript {
  get?: string;
  apply?: string;
}

/** Targets reached by scripts that say what a test wants them to say. Their folders outlive no test file. */
export class OddScripts {
  private constructor(readonly folder: string) {}

  static async make(): Promise<OddScripts> {
    return new OddScripts(await mkdtemp(join(tmpdir(), 'symphony-odd-')));
  }

  drop(): Promise<void> {
    return rm(this.folder, { recursive: true, force: true });
  }

  /** The topologies of a target with these scripts; what is left out reports nothing and does nothing, and says that all is well. */
  async topologies(name: string, { get, apply }: OddScript): Promise<object[]> {
    const folder = join(this.folder, name);
    await mkdir(folder);
    await this.#script(folder, 'get', get ?? `echo '[]' >"$out"`);
    await this.#script(folder, 'apply', `echo >>"$folder/applied"\n${apply ?? `echo '{}' >"$out"`}`);
    await this.#script(folder, 'remove', `echo '{}' >"$out"`);
    const scripts = { getScript: 'get.sh', applyScript: 'apply.sh', removeScript: 'remove.sh' };
    const config = { scriptFolder: folder, ...scripts };
    return [{ bindings: [{ role: 'instance', provider: 'providers.target.script', config }] }];
  }

  /** How many times the apply of a target was called. */
  async applied(name: string): Promise<number> {
    const lines = await readFile(join(this.folder, name, 'applied'), 'utf8').catch(() => '');
    return lines.length;
  }

  async #script(folder: string, operation: 'get' | 'apply' | 'remove', body: string): Promise<void> {
    const file = join(folder, `${operation}.sh`);
    const suffix = operation === 'get' ? 'get-output' : 'output';
    await writeFile(file, `#!/bin/sh\nfolder='${folder}'\nout="\${1%.json}-${suffix}.json"\n${body}\n`);
    await chmod(file, 0o755);
  }
}
