/** A signal that fires after a time, or when another one does. `end` must be called, or its timer holds the process up. */
export interface Deadline {
  signal: AbortSignal;
  end(): void;
}

/**
 * Not `AbortSignal.any` with `AbortSignal.timeout`: as the source of another signal a time-out may be collected before it
 * fires (seen on Node 20.20), and then nothing ever ends.
 */
export function deadlineAfter(ms: number, signal?: AbortSignal): Deadline {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new Error(`no answer within ${ms / 1000} s`)), ms);
  const passOn = (): void => controller.abort(signal?.reason);
  if (signal?.aborted) passOn();
  else signal?.addEventListener('abort', passOn, { once: true });
  return {
    signal: controller.signal,
    end() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', passOn);
    },
  };
}
