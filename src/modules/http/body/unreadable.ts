import { InvalidInputError } from '@symphony/model';

/** A number that reading would change. */
export function roundedNumberError(path: string): InvalidInputError {
  const message = 'the number cannot be kept exactly; put it in quotes';
  return new InvalidInputError(`The body cannot be used: ${path || 'it'}: ${message}.`, [{ path, message }]);
}

/** A body that is neither JSON nor YAML, or more than is read of either. */
export function unreadable(why: string): InvalidInputError {
  return new InvalidInputError(
    `The body cannot be read: ${why}.`,
    [{ path: '', message: `send JSON or YAML: ${why}` }],
    'BodyNotReadable',
  );
}
