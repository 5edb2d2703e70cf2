import pino, { type DestinationStream, type Logger } from 'pino';
import { describeError } from './describe-error.js';
import { currentLogContext } from './log-context.js';

const SECRET_FIELDS = [
  'authorization',
  'password',
  'secret',
  'token',
  'accessToken',
  'adminPassword',
  'databaseUrl',
  'cookie',
];

interface LoggerOptions {
  /** The least urgent level to write. */
  level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';
  /** Default: standard output, written synchronously so that a crash loses no line. */
  destination?: DestinationStream;
}

/**
 * The one logger of a process: JSON lines with the fields of {@link withLogContext}, errors under `err`, and the values
 * of fields that are named like a secret removed, at the top and up to two levels below.
 */
export function createLogger({ level, destination }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: { pid: process.pid },
      messageKey: 'msg',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      mixin: () => ({ ...currentLogContext() }),
      serializers: { err: (error: unknown) => describeError(error) },
      redact: {
        paths: SECRET_FIELDS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]),
        censor: '***',
      },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}
