/** Symphony's result numbers that appear inside bodies. Source: Symphony's public state table. */
export const StateCode = {
  OK: 200,
  BadRequest: 400,
  NotFound: 404,
  InternalError: 500,
  BadConfig: 1000,
  UpdateFailed: 8001,
  DeleteFailed: 8002,
  ValidateFailed: 8003,
  Updated: 8004,
  Deleted: 8005,
  Running: 9994,
  Delayed: 9997,
  Untouched: 9998,
  InitFailed: 10000,
  TimedOut: 11004,
} as const;

export type StateCode = (typeof StateCode)[keyof typeof StateCode];

/** States that say that the thing a provider was asked for did not happen. */
export function isFailure(status: number): boolean {
  return (
    status >= 300 &&
    status !== StateCode.Updated &&
    status !== StateCode.Deleted &&
    status !== StateCode.Untouched &&
    status !== StateCode.Running &&
    status !== StateCode.Delayed &&
    status !== 9996
  );
}
