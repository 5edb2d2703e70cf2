import { UnavailableError } from '@symphony/model';
import { compareVersions } from '../client/index.js';

interface Waiter {
  /** Undefined: any state at all. */
  version: string | undefined;
  resolve(): void;
  reject(error: Error): void;
}

/** Those who wait until a feed has delivered everything up to a version. */
export class VersionWaiters {
  readonly #waiting = new Set<Waiter>();
  #version: string | undefined;
  #stopped = false;
  #refusal: Error | undefined;

  /** The newest that was delivered. */
  get version(): string | undefined {
    return this.#version;
  }

  advance(version: string): void {
    this.#version = version;
    for (const waiter of this.#waiting) if (this.#reaches(waiter.version)) waiter.resolve();
  }

  stop(): void {
    this.#stopped = true;
    for (const waiter of this.#waiting) waiter.reject(stopped());
  }

  /** Nothing will be delivered as things are: nobody waits for it, until this is taken back with undefined. */
  refuse(error: Error | undefined): void {
    this.#refusal = error;
    if (error) for (const waiter of this.#waiting) waiter.reject(error);
  }

  /** @throws the signal's reason, or why nothing is delivered */
  wait(version: string | undefined, signal: AbortSignal): Promise<void> {
    if (this.#reaches(version)) return Promise.resolve();
    if (this.#stopped) return Promise.reject(stopped());
    if (this.#refusal) return Promise.reject(this.#refusal);
    if (signal.aborted) return Promise.reject(signal.reason as Error);
    return new Promise((resolve, reject) => {
      const onAbort = (): void => waiter.reject(signal.reason as Error);
      const settle = (): void => {
        this.#waiting.delete(waiter);
        signal.removeEventListener('abort', onAbort);
      };
      const waiter: Waiter = {
        version,
        resolve: () => (settle(), resolve()),
        reject: (error) => (settle(), reject(error)),
      };
      this.#waiting.add(waiter);
      signal.addEventListener('abort', onAbort, { once: true });
    });
  }

  #reaches(version: string | undefined): boolean {
    if (this.#version === undefined) return false;
    return version === undefined || (compareVersions(this.#version, version) ?? -1) >= 0;
  }
}

function stopped(): UnavailableError {
  return new UnavailableError('The reflector has been stopped.', 'Ending');
}
