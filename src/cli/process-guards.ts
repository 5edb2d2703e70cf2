import type { Logger } from 'pino';
import { processFaults } from '../modules/health/index.js';

const STORM_SIZE = 100;
const STORM_WINDOW_MS = 60_000;

/**
 * Keeps the process alive through errors that nobody caught.
 *
 * Why living on is right here, although the usual advice is to exit: everything that must be true is in the store, in
 * transactions that are fenced by epochs, so half-done work in memory can mislead nobody; each step has a deadline, so
 * what the error left hanging ends by itself; and an exit would let one bad input, provider or socket stop every other
 * object's work, again after each restart. A rejection has unwound its own stack in order; an exception out of a
 * callback may have left that callback's own state half done, which is the risk taken. The bet is off when errors come
 * in a storm ({@link STORM_SIZE} within a minute): then something that all work shares is broken, and `onStorm` asks for
 * an orderly end, so that a supervisor can start afresh.
 *
 * @returns a function that takes the guards away again.
 */
export function guardProcess(logger: Logger, onStorm: () => void): () => void {
  const recent: number[] = [];
  const note = (kind: 'unhandledRejection' | 'uncaughtException', error: unknown): void => {
    processFaults.count(kind);
    logger.error({ err: error, fault: kind }, 'Nobody caught this error; the process lives on');
    const now = performance.now();
    recent.push(now);
    while ((recent[0] ?? now) < now - STORM_WINDOW_MS) recent.shift();
    if (recent.length >= STORM_SIZE) {
      recent.length = 0;
      logger.fatal(
        { within: STORM_WINDOW_MS },
        'Too many uncaught errors: ending, so that a fresh process can start',
      );
      onStorm();
    }
  };
  const onRejection = (reason: unknown): void => note('unhandledRejection', reason);
  const onException = (error: unknown): void => note('uncaughtException', error);
  process.on('unhandledRejection', onRejection);
  process.on('uncaughtException', onException);
  return () => {
    process.off('unhandledRejection', onRejection);
    process.off('uncaughtException', onException);
  };
}
