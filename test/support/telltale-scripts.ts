import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * How the scripts betray what they were given, each in another way: the words of a program that failed, in plain and in
 * base64; the message of a result; what get reports; what get says when it fails.
 */
export type Betrayal =
  'in-words' | 'in-base64' | 'in-a-result' | 'in-a-report' | 'in-a-failed-report' | 'not-at-all';

const SCRIPTS: Readonly<Record<string, string>> = {
  'get.sh': `
case $how in
  in-a-failed-report) cat "$2" "$folder/secret" >&2; exit 1 ;;
  in-a-report) printf '[{"name":"c","properties":{"password":%s}}]' "$(cat "$folder/secret.json")" >"$report" ;;
  *) if [ -f "$there" ]; then echo '[{"name":"c"}]'; else echo '[]'; fi >"$report" ;;
esac`,
  'apply.sh': `
cat "$2" >>"$folder/received"
betray 8001 "$1" "$2"
echo >"$there"; echo '{"c":{"status":8004,"message":""}}' >"$result"`,
  'remove.sh': `
betray 8002 "$1" "$2"
rm -f "$there"; echo '{"c":{"status":8005,"message":""}}' >"$result"`,
};

const AROUND = `
how=$(cat "$folder/how")
{ env; tr '\\0' '\\n' <"/proc/$$/cmdline" || echo "$0" "$@"; } >>"$folder/surroundings"
there="$folder/there-$SYMPHONY_INSTANCE"
report="\${1%.json}-get-output.json"
result="\${1%.json}-output.json"
betray() {
  case $how in
    in-words) cat "$folder/secret" "$2" "$3"; cat "$folder/secret" >&2; exit 1 ;;
    in-base64) base64 -w0 <"$folder/secret" >&2; exit 1 ;;
    in-a-result)
      printf '{"c":{"status":%s,"message":%s}}' "$1" "$(cat "$folder/secret.json")" >"$result"
      exit 0 ;;
  esac
}
`;

/** A target reached by scripts that tell on the secrets they are given. */
export class TelltaleScripts {
  private constructor(readonly folder: string) {}

  /** @param folder is made */
  static async make(folder: string): Promise<TelltaleScripts> {
    const scripts = new TelltaleScripts(folder);
    await mkdir(folder);
    await scripts.betray('not-at-all');
    await writeFile(join(folder, 'received'), '');
    for (const [name, body] of Object.entries(SCRIPTS)) {
      await writeFile(join(folder, name), `#!/bin/sh\nset -eu\nfolder='${folder}'\n${AROUND}\n${body}\n`);
      await chmod(join(folder, name), 0o755);
    }
    return scripts;
  }

  betray(how: Betrayal): Promise<void> {
    return writeFile(join(this.folder, 'how'), how);
  }

  /** What the scripts know, and say in clear words. */
  async know(secret: string): Promise<void> {
    await writeFile(join(this.folder, 'secret'), secret);
    await writeFile(join(this.folder, 'secret.json'), JSON.stringify(`it was ${secret}!`));
  }

  /** Everything that apply was ever given. */
  received(): Promise<string> {
    return readFile(join(this.folder, 'received'), 'utf8');
  }

  /** What everybody on the machine could see of the scripts: how they were called, and in which environment. */
  surroundings(): Promise<string> {
    return readFile(join(this.folder, 'surroundings'), 'utf8');
  }

  /** Somebody removes what the instance deployed. */
  lose(instance: string): Promise<void> {
    return rm(join(this.folder, `there-${instance}`));
  }

  /** @param config further keys of the binding */
  topologies(config: Record<string, string> = {}): object[] {
    const scripts = { getScript: 'get.sh', applyScript: 'apply.sh', removeScript: 'remove.sh' };
    return [
      {
        bindings: [
          {
            role: 'instance',
            provider: 'providers.target.script',
            config: { scriptFolder: this.folder, ...scripts, ...config },
          },
        ],
      },
    ];
  }
}
