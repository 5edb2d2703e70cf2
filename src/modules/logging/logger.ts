import pino, { type DestinationStream, type Logger } from 'pino';
import { describeError } from './describe-error.js';
import { currentLogContext } from './log-context.js';
import { CENSOR, maskSecrets, SECRET_FIELDS } from './mask-secrets.js';

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
      formatters: { level: (label) => ({ level: label }), log: maskSecrets },
      mixin: () => ({ ...currentLogContext() }),
      // What a child logger is given does not come by the formatter. Paths with wildcards would cost each line 35 microseconds.
      redact: { paths: [...SECRET_FIELDS], censor: CENSOR },
      serializers: { err: (error: unknown) => describeError(error) },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  );
}
