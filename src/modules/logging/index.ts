export { currentLogContext, withLogContext } from './log-context.js';
export { createLogger } from './logger.js';
export { NestLogger } from './nest-logger.js';
export { correlationIdOf, traceIdOf } from './trace-context.js';
