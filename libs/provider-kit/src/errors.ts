import { SymphonyError, type ReasonCode } from '@symphony/model';

/** A provider could not do what it was asked. `reason` decides whether it is tried again. */
export class ProviderError extends SymphonyError {
  constructor(
    readonly reason: ReasonCode,
    message: string,
    /** Symphony's state number, for results on the wire. */
    readonly stateCode: number = 500,
    options?: ErrorOptions,
  ) {
    super(reason, 500, message, [], options);
  }
}

/** The configuration of a binding cannot work; only a change of the target mends that. */
export class ProviderConfigError extends ProviderError {
  constructor(message: string) {
    super('ProviderConfigInvalid', message, 1000);
  }
}
