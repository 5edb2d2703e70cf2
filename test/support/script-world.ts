import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/**
 * What every script does around its work: it leaves its process id while it runs, and notes when it finds that of another
 * script for the same instance that still lives. One that was killed, and only waits to be buried, does not count.
 */
const AROUND = `
enter() {
  mark="$world/running/$SYMPHONY_INSTANCE"
  if [ -f "$mark" ]; then
    read -r other <"$mark" || true
    state=gone
    [ -z "$other" ] || read -r _ _ state _ <"/proc/$other/stat" || true
    case $state in gone | Z | X) ;; *) note overlap ;; esac
  fi 2>/dev/null
  echo $$ >"$mark"
  note begin
  read -r pace <"$world/pace"
}
leave() {
  note end
  rm -f "$mark"
  if rm "$world/stop-after-$SYMPHONY_OPERATION" 2>/dev/null; then kill -STOP "$PPID"; fi
}
note() { echo "$1 $SYMPHONY_OPERATION $SYMPHONY_INSTANCE" >>"$world/log"; }
`;

const SCRIPTS: Readonly<Record<string, string>> = {
  get: `if [ -f "$there" ]; then echo '[{"name":"c"}]'; else echo '[]'; fi >"\${1%.json}-get-output.json"`,
  apply: `sleep "$pace"; echo >"$there"; echo '{"c":{"status":8004,"message":""}}' >"\${1%.json}-output.json"`,
  remove: `rm -f "$there"; echo '{"c":{"status":8005,"message":""}}' >"\${1%.json}-output.json"`,
};

export type Note = { what: 'begin' | 'end' | 'overlap'; operation: string; instance: string };

/**
 * A world outside of all engines, changed by the script provider and nothing else: a file for each instance that is
 * deployed (with one component, `c`), and a diary of who did what. It outlives engines that are killed.
 */
export class ScriptWorld {
  private constructor(readonly folder: string) {}

  /** @param inDescendant the scripts let a program that they start do their work, and wait for it */
  static async make({ inDescendant = false } = {}): Promise<ScriptWorld> {
    const world = new ScriptWorld(await mkdtemp(join(tmpdir(), 'symphony-world-')));
    for (const name of ['there', 'running', 'scripts']) await mkdir(join(world.folder, name));
    await writeFile(join(world.folder, 'log'), '');
    await world.setPace(0);
    for (const [operation, body] of Object.entries(SCRIPTS)) {
      const names = `world='${world.folder}'\nthere="$world/there/$SYMPHONY_INSTANCE"`;
      const work = `set -eu\n${names}\n${AROUND}\nenter\n${body}\nleave\n`;
      if (inDescendant) await world.#write(`${operation}-work.sh`, work);
      await world.#write(`${operation}.sh`, inDescendant ? `"\${0%.sh}-work.sh" "$@" &\nwait $!\n` : work);
    }
    return world;
  }

  async #write(name: string, body: string): Promise<void> {
    const file = join(this.folder, 'scripts', name);
    await writeFile(file, `#!/bin/sh\n${body}`);
    await chmod(file, 0o755);
  }

  /** How long each apply takes from now on, in seconds. */
  setPace(seconds: number): Promise<void> {
    return writeFile(join(this.folder, 'pace'), `${seconds}\n`);
  }

  /** The next script of this operation that ends stops its engine (SIGSTOP) with its last breath. */
  stopEngineAfter(operation: 'get' | 'apply' | 'remove'): Promise<void> {
    return writeFile(join(this.folder, `stop-after-${operation}`), '');
  }

  /** Whether that has happened. */
  async hasStoppedEngine(): Promise<boolean> {
    return !(await readdir(this.folder)).some((name) => name.startsWith('stop-after-'));
  }

  /** Process id of the script that runs for an instance, or did when it was killed. */
  async scriptOf(instance: string): Promise<number> {
    return Number(await readFile(join(this.folder, 'running', instance), 'utf8'));
  }

  /** The flag that lets an engine run the scripts. */
  get flag(): string {
    return `--providers-script-allowed-folders=${this.folder}`;
  }

  /** Of a target whose components live in this world. */
  get topologies(): object[] {
    const config = {
      scriptFolder: join(this.folder, 'scripts'),
      getScript: 'get.sh',
      applyScript: 'apply.sh',
      removeScript: 'remove.sh',
    };
    return [{ bindings: [{ role: 'instance', provider: 'providers.target.script', config }] }];
  }

  /** Names of the instances that are deployed, in order. */
  async deployed(): Promise<string[]> {
    return (await readdir(join(this.folder, 'there'))).sort((a, b) => (a < b ? -1 : 1));
  }

  /** What the scripts noted so far. */
  async notes(): Promise<Note[]> {
    const text = await readFile(join(this.folder, 'log'), 'utf8');
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => {
        const [what = '', operation = '', instance = ''] = line.split(' ');
        return { what: what as Note['what'], operation, instance };
      });
  }

  /** How many applies have ended. */
  async applied(): Promise<number> {
    return (await this.notes()).filter(({ what, operation }) => what === 'end' && operation === 'apply')
      .length;
  }

  /** Instances for which two scripts ran at the same time. */
  async overlaps(): Promise<string[]> {
    return (await this.notes()).filter(({ what }) => what === 'overlap').map(({ instance }) => instance);
  }

  async dispose(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}
