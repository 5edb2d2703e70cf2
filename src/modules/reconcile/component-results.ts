import { isFailure, reason, StateCode, type Action, type Reason } from '@symphony/model';
import type { ApplyResult } from '@symphony/provider-kit';

export function failedCode(action: Action): number {
  return action.kind === 'delete' ? StateCode.DeleteFailed : StateCode.UpdateFailed;
}

export function isSilent(result: ApplyResult): boolean {
  return result.status === StateCode.Untouched;
}

/** A refused component stays refused until it is changed; other failures may pass. */
export function mayPass(result: ApplyResult | undefined): boolean {
  return result !== undefined && !result.pending && isFailure(result.status) && !isRefusal(result.status);
}

function isRefusal(status: number): boolean {
  return (
    status === StateCode.ValidateFailed || (status >= 400 && status < 500) || status === StateCode.BadConfig
  );
}

export function failureReason(result: ApplyResult | undefined, redact: (text: string) => string): Reason {
  const status = result?.status ?? 500;
  const detail = redact(result?.message ?? '');
  if (status === 409) return { code: 'OwnedByOther', message: detail };
  return reason(
    isRefusal(status) ? 'ValidationFailed' : 'ProviderFailed',
    detail === '' ? undefined : detail,
  );
}
