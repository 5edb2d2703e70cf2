import type { LoggerService } from '@nestjs/common';
import type { Level, Logger } from 'pino';

/** Contexts of Nest that tell of each module and route at each start. */
const CHATTY = new Set([
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestFactory',
  'NestApplication',
]);

/**
 * Nest's logger on pino. Beside Nest's own forms it takes fields:
 * `logger.log({ msg: 'Run ended', job })`, `logger.error('Run failed', error)`, `logger.warn('Late', { seconds })`.
 * Nest puts the logger's context (`new Logger('Queue')`) last; it becomes the field `context`.
 */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest);
  }

  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest);
  }

  log(message: unknown, ...rest: unknown[]): void {
    this.write(CHATTY.has(String(rest.at(-1))) ? 'debug' : 'info', message, rest);
  }

  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest);
  }

  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest);
  }

  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest);
  }

  private write(level: Level, message: unknown, rest: unknown[]): void {
    if (!this.logger.isLevelEnabled(level)) return;
    const fields: Record<string, unknown> = {};
    const texts: string[] = [];
    if (rest.length > 0 && typeof rest.at(-1) === 'string') fields.context = rest.pop();
    for (const part of [message, ...rest]) {
      if (part instanceof Error) fields.err = part;
      else if (typeof part === 'string') addText(part, texts, fields);
      else if (typeof part === 'object' && part !== null) Object.assign(fields, part);
      else if (typeof part === 'number' || typeof part === 'boolean' || typeof part === 'bigint')
        texts.push(String(part));
    }
    if (texts.length === 0 && fields.err instanceof Error && fields.msg === undefined)
      texts.push(fields.err.message);
    if (texts.length > 0) this.logger[level](fields, texts.join(' '));
    else this.logger[level](fields);
  }
}

/** Nest hands stacks on as texts: `error(message, stack, context)`. */
function addText(text: string, texts: string[], fields: Record<string, unknown>): void {
  if (texts.length > 0 && /\n\s+at /.test(text)) fields.stack = text;
  else texts.push(text);
}
