import { helpText } from '../config/describe.js';
import { ConfigError } from '../config/errors.js';
import { version } from '../config/version.js';
import { type CommandLine, parseCommandLine } from './args.js';
import { type Terminal, terminal } from './terminal.js';

/**
 * Does what the command line asks for.
 * @returns the exit code: 0 done, 1 failed, 2 wrong configuration; undefined when a server listens, which ends by a signal.
 */
export async function run(
  argv: readonly string[],
  env: NodeJS.ProcessEnv,
  io: Terminal = terminal,
): Promise<number | undefined> {
  try {
    const line = parseCommandLine(argv);
    if (line.help) io.out(helpText());
    else if (line.version) io.out(`${version()}\n`);
    else return await runConfigured(line, env, io);
    return 0;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.err(`${error.message}\n`);
    return error.exitCode;
  }
}

/** Imports what it needs only here: `--help` and `--version` answer before the framework would have been read. */
async function runConfigured(
  line: CommandLine,
  env: NodeJS.ProcessEnv,
  io: Terminal,
): Promise<number | undefined> {
  const { loadConfig, printConfig } = await import('../config/index.js');
  const loaded = loadConfig({
    flags: line.flags,
    env,
    ...(line.configFile ? { file: line.configFile } : {}),
  });
  if (line.printConfig) {
    io.out(printConfig(loaded));
    return 0;
  }
  if (line.command === 'release') {
    if (loaded.config.mode !== 'k8s') throw new ConfigError('release belongs to --mode=k8s.');
    const { runRelease } = await import('../modes/k8s/release/command.js');
    return runRelease(loaded.config, io);
  }
  if (line.command !== 'serve') {
    const { runDatabaseCommand } = await import('./database-commands.js');
    return runDatabaseCommand(line, loaded.config, io);
  }
  const { serve } = await import('./serve.js');
  return serve(loaded, io);
}
