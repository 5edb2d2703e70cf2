/** A signal that fires after a time, or when another one does. `end` must be called, or its timer holds the process up. */
export interface Deadline {
  readonly signal: AbortSignal;
  /** Starts the time anew. */
  extend(): void;
  end(): void;
}

/**
 * Not `AbortSignal.any` with `AbortSignal.timeout`: as the source of another signal a time-out may be collected before it
 * fires (seen on Node 20.20), and then nothing ever ends.
 * @param late makes the reason to abort with when the time is over
 */
export function deadlineAfter(ms: number, signal: AbortSignal | undefined, late: () => Error): Deadline {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(late()), ms);
  const passOn = (): void => controller.abort(signal?.reason);
  if (signal?.aborted) passOn();
  else signal?.addEventListener('abort', passOn, { once: true });
  return {
    signal: controller.signal,
    extend: () => void timer.refresh(),
    end() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', passOn);
    },
  };
}

/** The outcome of the work, or the signal's reason as soon as it aborts: for work that does not heed it everywhere. */
export async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(signal.reason as Error);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  // Whichever loses the race must not become an unhandled rejection.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, aborted]);
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort);
  }
}

/** Resolves after the time, or at once when one of the signals aborts; never rejects. */
export function pause(ms: number, ...signals: (AbortSignal | undefined)[]): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      for (const signal of signals) signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    for (const signal of signals) signal?.addEventListener('abort', done, { once: true });
    if (signals.some((signal) => signal?.aborted)) done();
  });
}
