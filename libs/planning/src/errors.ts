import { reason, SymphonyError, type Problem, type ReasonCode } from '@symphony/model';

/** The desired state cannot be computed: the run of this deployment ends with `reason`, and nothing is touched. */
export class DeploymentError extends SymphonyError {
  constructor(
    readonly reason: ReasonCode,
    detail: string,
    problems: readonly Problem[] = [],
    options?: ErrorOptions,
  ) {
    super(reason, 422, reasonText(reason, detail), problems, options);
  }
}

function reasonText(code: ReasonCode, detail: string): string {
  return reason(code, detail).message;
}
