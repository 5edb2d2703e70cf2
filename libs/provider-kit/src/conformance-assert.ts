import { canonicalJson } from '@symphony/model';

/** @throws Error with the message when the condition does not hold. */
export function check(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

/** @throws Error when the two differ as JSON. */
export function equal(found: unknown, expected: unknown, note = ''): void {
  const [left, right] = [canonicalJson(found), canonicalJson(expected)];
  check(left === right, `found ${left}, expected ${right}${note && ` (${note})`}`);
}

/** @throws Error when the promise is fulfilled. */
export async function rejects(promise: Promise<unknown>, what: string): Promise<void> {
  const value = await promise.then(
    (result) => ({ result }),
    () => undefined,
  );
  check(value === undefined, `${what} was fulfilled with ${canonicalJson(value?.result)}`);
}
