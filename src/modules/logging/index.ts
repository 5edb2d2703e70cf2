export { describeError } from './describe-error.js';
export { currentLogContext, type LogFields, withLogContext } from './log-context.js';
export { createLogger, type LoggerOptions } from './logger.js';
export { NestLogger } from './nest-logger.js';
export { correlationIdOf, traceIdOf } from './trace-context.js';
