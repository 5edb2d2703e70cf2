import { InvalidInputError } from './errors.js';

export const DEFAULT_NAMESPACE = 'default';

/** Separates the root resource and the version in a versioned name, for example `app-v-1`. */
export const VERSION_SEPARATOR = '-v-';

const MAX_NAME = 253;
/** Symphony's rule: the part after the last `-v-` has 1 to 61 characters. */
export const MAX_LAST_NAME_PART = 61;
const NAME = /^[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?$/;
const NAMESPACE = /^[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$/;

/** @throws InvalidInputError when the name could not be an object's name. */
export function checkName(name: string, path = 'metadata.name'): void {
  const problem = nameProblem(name);
  if (problem)
    throw new InvalidInputError(
      `The name is not valid: it ${problem}.`,
      [{ path, message: problem }],
      'InvalidName',
    );
}

function nameProblem(name: string): string | undefined {
  if (name === '') return 'must not be empty';
  if (name.length > MAX_NAME) return `must have at most ${MAX_NAME} characters`;
  if (!NAME.test(name)) {
    return 'must consist of letters, digits, "-", "_", "." and ":", and begin and end with a letter or digit';
  }
  const last = name.split(VERSION_SEPARATOR).at(-1) ?? name;
  if (last.length > MAX_LAST_NAME_PART) {
    return `must have at most ${MAX_LAST_NAME_PART} characters (after the last "${VERSION_SEPARATOR}")`;
  }
  return undefined;
}

/** @throws InvalidInputError when the namespace is not a possible one. */
export function checkNamespace(namespace: string, path = 'metadata.namespace'): void {
  if (NAMESPACE.test(namespace)) return;
  const message =
    'must consist of 1 to 63 letters, digits, "-" and ".", and begin and end with a letter or digit';
  throw new InvalidInputError(
    `The namespace is not valid: it ${message}.`,
    [{ path, message }],
    'InvalidName',
  );
}

/** The names that a reference may mean, the most literal first: `a:b` means the object `a:b`, else `a-v-b`. */
export function candidatesOf(reference: string): string[] {
  const converted = reference.replaceAll(':', VERSION_SEPARATOR);
  return converted === reference ? [reference] : [reference, converted];
}
