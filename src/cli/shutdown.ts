import type { Logger } from 'pino';

/** What is left of the drain's grace for everything that ends after the runs: HTTP, the database, its server. */
const AFTER_DRAIN_MS = 15_000;

export interface Shutdown {
  /** Starts the end, once; later calls wait for the same end. */
  begin(reason: string, exitCode: number): void;
}

/**
 * Ends the process in order on SIGTERM or SIGINT: `close` drains and stops, within the drain time and a bit more. A
 * second signal, or the deadline, ends it at once; what was running is then taken over by its lease, as after a crash.
 */
export function endOnSignals(
  close: () => Promise<void>,
  drainSeconds: number,
  logger: Logger,
  exit: (code: number) => void = (code) => process.exit(code),
): Shutdown {
  let ending = false;
  const begin = (reason: string, exitCode: number): void => {
    if (ending) return;
    ending = true;
    logger.info({ reason, drainSeconds }, 'Ending: no new work is taken');
    const deadline = setTimeout(
      () => {
        logger.error('The end took too long and is cut short');
        exit(1);
      },
      drainSeconds * 1000 + AFTER_DRAIN_MS,
    );
    void endWith(close, logger).then((ok) => {
      clearTimeout(deadline);
      return exit(ok ? exitCode : 1);
    });
  };
  const onSignal = (signal: NodeJS.Signals): void => {
    if (!ending) return begin(signal, 0);
    logger.warn({ signal }, 'A second signal: ending at once');
    exit(1);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  return { begin };
}

async function endWith(close: () => Promise<void>, logger: Logger): Promise<boolean> {
  try {
    await close();
    logger.info('Ended');
    return true;
  } catch (error) {
    logger.error({ err: error }, 'Ending failed');
    return false;
  }
}
