import { parseArgs, type ParseArgsConfig } from 'node:util';
import { ConfigError, nearest } from '../config/errors.js';
import { CONFIG_KEYS } from '../config/keys.js';

const COMMANDS = ['serve', 'backup', 'restore', 'release'] as const;
type Command = (typeof COMMANDS)[number];

/** What a command line asks for, checked for shape but not yet for meaning. */
export interface CommandLine {
  command: Command;
  help: boolean;
  version: boolean;
  printConfig: boolean;
  /** The path given with `-c`. */
  configFile?: string;
  /** Values by the path of their configuration key; the last of a repeated flag counts. */
  flags: ReadonlyMap<string, string>;
  /** `--file` of backup and restore. */
  file?: string;
  /** `--force` of restore. */
  force: boolean;
}

interface Flag {
  type: 'string' | 'boolean';
  short?: string;
  /** The configuration key it sets. */
  key?: string;
  /** The commands that know it; undefined means all. */
  only?: readonly Command[];
}

const FLAGS: ReadonlyMap<string, Flag> = new Map<string, Flag>([
  ['help', { type: 'boolean', short: 'h' }],
  ['version', { type: 'boolean', short: 'v' }],
  ['print-config', { type: 'boolean' }],
  ['config', { type: 'string', short: 'c' }],
  ['file', { type: 'string', only: ['backup', 'restore'] }],
  ['force', { type: 'boolean', only: ['restore'] }],
  ...CONFIG_KEYS.flatMap(({ key, flag, alias, short }): [string, Flag][] => [
    ...(flag ? [[flag, { type: 'string', key, ...(short ? { short } : {}) }] satisfies [string, Flag]] : []),
    ...(alias ? [[alias, { type: 'string', key }] satisfies [string, Flag]] : []),
  ]),
]);

/**
 * Reads the arguments after `node dist/main`.
 * @throws ConfigError with one sentence that names the argument that is wrong.
 */
export function parseCommandLine(argv: readonly string[]): CommandLine {
  const options: NonNullable<ParseArgsConfig['options']> = {};
  for (const [name, { type, short }] of FLAGS) options[name] = { type, ...(short ? { short } : {}) };
  // Not strict: the sentences about what is wrong are ours, and name the flag that was probably meant.
  const { tokens } = parseArgs({
    args: [...argv],
    options,
    strict: false,
    allowPositionals: true,
    tokens: true,
  });

  const values = new Map<string, string | true>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind === 'option') values.set(token.name, readOption(token));
  }
  const command = readCommand(positionals);
  for (const name of values.keys()) {
    const only = FLAGS.get(name)?.only;
    if (only && !only.includes(command))
      throw new ConfigError(`--${name} belongs to ${only.join(' and ')} only.`);
  }
  return {
    command,
    help: values.has('help'),
    version: values.has('version'),
    printConfig: values.has('print-config'),
    configFile: textOf(values.get('config')),
    flags: configFlags(values),
    file: textOf(values.get('file')),
    force: values.has('force'),
  };
}

function readOption(token: { name: string; rawName: string; value?: string | undefined }): string | true {
  const flag = FLAGS.get(token.name);
  if (!flag) {
    const meant = nearest(token.name, [...FLAGS.keys()]);
    const hint = meant ? `did you mean --${meant}?` : '--help lists the flags.';
    throw new ConfigError(`There is no flag ${token.rawName}; ${hint}`);
  }
  if (flag.type === 'boolean') {
    if (token.value !== undefined) throw new ConfigError(`The flag ${token.rawName} takes no value.`);
    return true;
  }
  // `-l=Debug` and `-c=file` are common slips of the hand; no value starts with "=".
  const value = token.rawName.startsWith('--') ? token.value : token.value?.replace(/^=/, '');
  if (value === undefined || value === '') throw new ConfigError(`The flag ${token.rawName} needs a value.`);
  return value;
}

function readCommand(positionals: readonly string[]): Command {
  const [word = 'serve', ...more] = positionals;
  const command = COMMANDS.find((known) => known === word);
  if (!command) {
    throw new ConfigError(`There is no command "${word}"; use backup, restore, release, or none to serve.`);
  }
  if (more.length > 0)
    throw new ConfigError(`"${more[0]}" after ${command} is not understood; --help shows the usage.`);
  return command;
}

function configFlags(values: ReadonlyMap<string, string | true>): Map<string, string> {
  const flags = new Map<string, string>();
  for (const [name, value] of values) {
    const key = FLAGS.get(name)?.key;
    if (key !== undefined && value !== true) flags.set(key, value);
  }
  return flags;
}

function textOf(value: string | true | undefined): string | undefined {
  return value === true ? undefined : value;
}
