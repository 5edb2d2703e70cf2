import { AsyncLocalStorage } from 'node:async_hooks';

/** Fields that every log line written inside {@link withLogContext} carries. */
export interface LogFields {
  /** 32 hexadecimal digits: the W3C trace this work belongs to. */
  traceId?: string;
  /** The request that this work answers. */
  requestId?: string;
  /** What the caller sent as `X-Activity-correlationId`. */
  correlationId?: string;
  /** The lane, object or run, and the epoch under which it is worked on; others may add what helps. */
  [field: string]: unknown;
}

const storage = new AsyncLocalStorage<Readonly<LogFields>>();

/** Runs `fn`, and all that it starts, with these fields on top of those that are already there. */
export function withLogContext<Result>(fields: LogFields, fn: () => Result): Result {
  return storage.run({ ...storage.getStore(), ...fields }, fn);
}

/** The fields of the work that calls; empty outside of any. */
export function currentLogContext(): Readonly<LogFields> {
  return storage.getStore() ?? {};
}
