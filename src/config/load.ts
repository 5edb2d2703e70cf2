import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parseDuration } from '@symphony/model';
import { validateSync, type ValidationError } from 'class-validator';
import { AppConfig } from './app-config.js';
import { ConfigError, nearest } from './errors.js';
import { readConfigFile, reasonOf } from './file.js';
import { CONFIG_KEYS, configKey, type ConfigKey } from './keys.js';
import { readUserList } from './users.js';

/** Where a value comes from, in words for an error: rank 3 is a flag, 2 the environment, 1 the file, 0 the default. */
interface Source {
  rank: 0 | 1 | 2 | 3;
  /** `the flag --port`, `the environment variable SYMPHONY_PORT`, `the key "port" of /etc/symphony.yaml`, `the default of port`. */
  name: string;
}

export interface LoadInput {
  /** Values of flags by the path of their key; a flag given twice has its last value. */
  flags?: ReadonlyMap<string, string>;
  env?: NodeJS.ProcessEnv;
  /** The path given with `-c`; else `SYMPHONY_CONFIG` of the environment. */
  file?: string;
  /** What relative paths of flags and the environment are relative to; those of a file are relative to the file. */
  cwd?: string;
}

export interface LoadedConfig {
  config: AppConfig;
  sources: ReadonlyMap<string, Source>;
  /** Sentences that are worth a log line, for example about a variable that looks like a mistyped one. */
  warnings: readonly string[];
}

interface Candidate {
  value: unknown;
  source: Source;
}

/**
 * Merges flags over environment over file over defaults into a valid {@link AppConfig}.
 * @throws ConfigError with one sentence that names the flag, the variable, or the file and its key.
 */
export function loadConfig(input: LoadInput = {}): LoadedConfig {
  const env = input.env ?? {};
  const cwd = input.cwd ?? process.cwd();
  const given = input.file ?? (env.SYMPHONY_CONFIG || undefined);
  const file = given === undefined ? undefined : resolve(cwd, given);
  const fromFile = file === undefined ? new Map<string, unknown>() : readConfigFile(file);

  const config = new AppConfig();
  const sources = new Map<string, Source>();
  for (const row of CONFIG_KEYS) {
    const { value, source } = candidateFor(row, input.flags, env, fromFile, file);
    sources.set(row.key, source);
    const base = source.rank === 1 && file !== undefined ? dirname(file) : cwd;
    const coerced = coerce(row, value, base, source.name);
    if (coerced !== undefined) setPath(config, row.key, coerced);
  }
  refuseWrongValues(config, sources);
  resolvePassword(config, sources);
  return { config, sources, warnings: unknownVariables(env) };
}

function candidateFor(
  row: ConfigKey,
  flags: ReadonlyMap<string, string> | undefined,
  env: NodeJS.ProcessEnv,
  fromFile: ReadonlyMap<string, unknown>,
  file: string | undefined,
): Candidate {
  const flag = flags?.get(row.key);
  if (flag !== undefined) return { value: flag, source: { rank: 3, name: `the flag --${row.flag}` } };
  const variable = row.env && env[row.env];
  if (row.env && variable && !isServiceLink(row.env, variable)) {
    return { value: variable, source: { rank: 2, name: `the environment variable ${row.env}` } };
  }
  if (fromFile.has(row.key)) {
    return { value: fromFile.get(row.key), source: { rank: 1, name: `the key "${row.key}" of ${file}` } };
  }
  return { value: row.default, source: { rank: 0, name: `the default of ${row.key}` } };
}

/** Kubernetes puts `SYMPHONY_PORT=tcp://10.0.0.7:8082` into each pod beside a service that is called `symphony`. */
function isServiceLink(name: string, value: string): boolean {
  return name === 'SYMPHONY_PORT' && /^(tcp|udp|sctp):\/\//.test(value);
}

/** A value that cannot be read as its type is left as it is: the rule of its field then says what would be right. */
function coerce(row: ConfigKey, value: unknown, base: string, sourceName: string): unknown {
  if (value === undefined) return undefined;
  switch (row.type) {
    case 'integer':
      return typeof value === 'string' && /^-?\d{1,15}$/.test(value) ? Number(value) : value;
    case 'boolean':
      return typeof value === 'string' && /^(true|false)$/i.test(value)
        ? value.toLowerCase() === 'true'
        : value;
    case 'duration':
      if (typeof value === 'string') return parseDuration(value) ?? value;
      // 0 is the one duration without a unit; any other number leaves open which one is meant.
      return value === 0 ? 0 : JSON.stringify(value);
    case 'list':
      return listOf(value);
    case 'paths': {
      const items = listOf(value);
      return Array.isArray(items) ? items.map((item: unknown) => absolute(base, item)) : items;
    }
    case 'users':
      return readUserList(value, sourceName, base);
    case 'path':
      return absolute(base, value);
    default:
      return typeof value === 'string' && row.aliases ? (row.aliases[value.toLowerCase()] ?? value) : value;
  }
}

function listOf(value: unknown): unknown {
  return typeof value === 'string' ? value.split(',').map((item) => item.trim()) : value;
}

function absolute(base: string, path: unknown): unknown {
  return typeof path === 'string' && path !== '' ? resolve(base, path) : path;
}

function setPath(config: AppConfig, path: string, value: unknown): void {
  const steps = path.split('.');
  const last = steps.pop() ?? path;
  let holder = config as unknown as Record<string, unknown>;
  for (const step of steps) holder = holder[step] as Record<string, unknown>;
  holder[last] = value;
}

function refuseWrongValues(config: AppConfig, sources: ReadonlyMap<string, Source>): void {
  for (const { path, value, message } of brokenRules(validateSync(config), '')) {
    const row = configKey(path);
    const source = sources.get(path)?.name ?? path;
    const shown = row?.secret ? 'is not valid' : `is ${JSON.stringify(value)}`;
    throw new ConfigError(capital(`${source} ${shown}: it ${message}.`));
  }
  const { tlsCert, tlsKey } = config.http;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    const [given, missing] = tlsCert === undefined ? ['tlsKey', 'tls-cert'] : ['tlsCert', 'tls-key'];
    throw new ConfigError(
      capital(
        `${sources.get(`http.${given}`)?.name} needs its other half: set --${missing} as well, or neither.`,
      ),
    );
  }
  const { interval, minInterval } = config.reconcile;
  if (interval !== 0 && interval < minInterval) {
    throw new ConfigError(
      `reconcile.interval (${sources.get('reconcile.interval')?.name}) is shorter than reconcile.minInterval ` +
        `(${sources.get('reconcile.minInterval')?.name}): raise the first, lower the second, or set the first to 0.`,
    );
  }
}

interface BrokenRule {
  path: string;
  value: unknown;
  message: string;
}

function brokenRules(errors: readonly ValidationError[], prefix: string): BrokenRule[] {
  return errors.flatMap((error) => {
    const path = prefix + error.property;
    // Decorators run from the last to the first: the rule that is written first, about the type, comes out last.
    const message = Object.values(error.constraints ?? {}).at(-1);
    const own = message === undefined ? [] : [{ path, value: error.value as unknown, message }];
    return [...own, ...brokenRules(error.children ?? [], `${path}.`)];
  });
}

/** Takes the password out of its file. Two sources of the same rank contradict each other; else the higher one wins. */
function resolvePassword(config: AppConfig, sources: Map<string, Source>): void {
  const { adminPassword, adminPasswordFile } = config.auth;
  if (adminPasswordFile === undefined) return;
  const ofFile = sources.get('auth.adminPasswordFile');
  const ofText = sources.get('auth.adminPassword');
  if (adminPassword !== undefined && ofFile && ofText) {
    if (ofText.rank > ofFile.rank) return;
    if (ofText.rank === ofFile.rank) {
      throw new ConfigError(capital(`${ofText.name} and ${ofFile.name} are both set: set only one of them.`));
    }
  }
  let text: string;
  try {
    text = readFileSync(adminPasswordFile, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw new ConfigError(
      `The password file ${adminPasswordFile} (${ofFile?.name}) cannot be read: ${reasonOf(error)}.`,
    );
  }
  if (text === '' || text.length > 1024) {
    throw new ConfigError(
      `The password file ${adminPasswordFile} (${ofFile?.name}) must hold one line of 1 to 1024 characters.`,
    );
  }
  config.auth.adminPassword = text;
  if (ofFile) sources.set('auth.adminPassword', ofFile);
}

/** Unknown variables do not stop the start: platforms and clients set their own, such as `SYMPHONY_API_URL`. */
function unknownVariables(env: NodeJS.ProcessEnv): string[] {
  const known = ['SYMPHONY_CONFIG', ...CONFIG_KEYS.flatMap((row) => row.env ?? [])];
  return Object.keys(env)
    .filter((name) => name.startsWith('SYMPHONY_') && !known.includes(name))
    .flatMap((name) => {
      const meant = nearest(name, known);
      return meant
        ? [`The environment variable ${name} is not known and has no effect; did you mean ${meant}?`]
        : [];
    });
}

function capital(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}
