import { StateCode, SymphonyError, type ReasonCode } from '@symphony/model';

/** A provider could not do what it was asked. `reason` decides whether it is tried again. */
export class ProviderError extends SymphonyError {
  constructor(
    readonly reason: ReasonCode,
    message: string,
    /** Symphony's state number, for results on the wire. */
    readonly stateCode: number = StateCode.InternalError,
    options?: ErrorOptions,
  ) {
    super(reason, 500, message, [], options);
  }
}

/** The configuration of a binding cannot work; only a change of the target mends that. */
export class ProviderConfigError extends ProviderError {
  constructor(message: string, options?: ErrorOptions) {
    super('ProviderConfigInvalid', message, StateCode.BadConfig, options);
  }
}

/**
 * What a call rejects with after its signal fired: the reason the signal was given, when that is one of ours; a time-out
 * (`AbortSignal.timeout`) as `ProviderTimeout`; anything else as `Interrupted`.
 */
export function abortError(signal: AbortSignal, what: string): SymphonyError {
  const cause: unknown = signal.reason;
  if (cause instanceof SymphonyError) return cause;
  if (cause instanceof Error && cause.name === 'TimeoutError') {
    const message = `${what} did not end in time and was stopped; its outcome is unknown.`;
    return new ProviderError('ProviderTimeout', message, StateCode.TimedOut);
  }
  return new ProviderError('Interrupted', `${what} was stopped; its outcome is unknown.`);
}
