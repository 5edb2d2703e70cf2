import { UnavailableError } from '@symphony/model';

/**
 * Looks at something for a caller who waits.
 * @param look is told to stop at the deadline; nobody waits for what it makes of that
 * @throws UnavailableError `TargetsTooSlow` at the deadline; before it, what `look` rejects with
 */
export async function lookWithin<T>(deadlineMs: number, look: (stop: AbortSignal) => Promise<T>): Promise<T> {
  const stop = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const error = new UnavailableError(
        `Not everything that this needs was read within ${deadlineMs / 1000} s: a target or a source of values does not answer. The same request may succeed later.`,
        'TargetsTooSlow',
      );
      reject(error);
      stop.abort(error);
    }, deadlineMs);
  });
  try {
    return await Promise.race([look(stop.signal), tooLate]);
  } finally {
    clearTimeout(timer);
  }
}
