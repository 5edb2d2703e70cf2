import { joinPath, type Problem } from '@symphony/model';
import type { ValidationError } from 'class-validator';

/** class-validator's tree of errors as a flat list of paths and sentences. */
export function validationProblems(errors: readonly ValidationError[], prefix = ''): Problem[] {
  return errors.flatMap((error) => {
    const path = /^\d+$/.test(error.property)
      ? `${prefix}[${error.property}]`
      : joinPath(prefix, error.property);
    const own = Object.values(error.constraints ?? {}).map((message) => ({ path, message }));
    return [...own, ...validationProblems(error.children ?? [], path)];
  });
}
