import { beginningOf, isPlainObject, StateCode, type ComponentSpec } from '@symphony/model';
import {
  ProviderError,
  type ApplyResult,
  type ApplyResults,
  type PendingResult,
} from '@symphony/provider-kit';

const MAX_MESSAGE = 2_000;

/**
 * Results of apply and remove: a map of component names to `{status, message}`. Names outside the step are dropped,
 * names left out stay untouched, and an entry that makes no sense fails its component.
 * @throws ProviderError when the whole is not a map
 */
export function readResults(
  output: unknown,
  names: readonly string[],
  failure: number,
  redact: (text: string) => string,
  script: string,
): ApplyResults {
  if (!isPlainObject(output)) {
    throw new ProviderError(
      'ProviderFailed',
      `${script} must write a JSON object that maps names of components to {"status", "message"}.`,
    );
  }
  const results = new Map<string, ApplyResult>();
  for (const name of names) {
    if (Object.hasOwn(output, name)) results.set(name, readResult(output[name], failure, redact, script));
  }
  return Object.fromEntries(results);
}

function readResult(
  entry: unknown,
  failure: number,
  redact: (text: string) => string,
  script: string,
): ApplyResult {
  const pending = isPlainObject(entry) ? readPending(entry['pending']) : undefined;
  if (pending === 'invalid') {
    const message = `${script} must write pending as true, or as {"ticket": text, "deadlineSeconds": number above 0}.`;
    return { status: failure, message };
  }
  const sent = isPlainObject(entry) ? entry['status'] : undefined;
  const status = pending && sent === undefined ? StateCode.Running : sent;
  if (!isPlainObject(entry) || typeof status !== 'number' || !Number.isInteger(status)) {
    return { status: failure, message: `${script} reported no whole number as the status.` };
  }
  const message = typeof entry['message'] === 'string' ? entry['message'] : '';
  return { status, message: beginningOf(redact(message), MAX_MESSAGE), ...(pending ? { pending } : {}) };
}

/** `true`, or an object with what is known of the report to come; `false` and absent are the same. */
function readPending(value: unknown): PendingResult | 'invalid' | undefined {
  if (value === undefined || value === null || value === false) return undefined;
  if (value === true) return {};
  if (!isPlainObject(value)) return 'invalid';
  const { ticket, deadlineSeconds } = value;
  const isTicket = ticket === undefined || (typeof ticket === 'string' && ticket !== '');
  const isDeadline =
    deadlineSeconds === undefined || (typeof deadlineSeconds === 'number' && deadlineSeconds > 0);
  if (!isTicket || !isDeadline) return 'invalid';
  return {
    ...(ticket === undefined ? {} : { ticket }),
    ...(deadlineSeconds === undefined ? {} : { deadlineMs: deadlineSeconds * 1000 }),
  };
}

/** The status of a component for which the operation failed. */
export const FAILURE = { apply: StateCode.UpdateFailed, remove: StateCode.DeleteFailed } as const;

/**
 * What get reports, reduced to the components asked for.
 * @throws ProviderError when it is not a list of components: "could not read" is not "is not there"
 */
export function readComponents(output: unknown, names: ReadonlySet<string>, script: string): ComponentSpec[] {
  // Symphony's own scripts in Go write null for an empty list.
  const list = output === null ? [] : output;
  if (!Array.isArray(list)) {
    throw new ProviderError('ProviderFailed', `${script} must write a JSON list of components.`);
  }
  const found = new Map<string, ComponentSpec>();
  list.forEach((item: unknown, index) => {
    if (!isComponent(item)) {
      throw new ProviderError(
        'ProviderFailed',
        `${script} wrote an entry (number ${index}) that is not a component: it needs a name, and its type, properties, ` +
          'metadata and sidecars must have the form they have in a solution.',
      );
    }
    if (names.has(item.name) && !found.has(item.name)) found.set(item.name, item);
  });
  return [...found.values()];
}

function isComponent(value: unknown): value is ComponentSpec {
  if (!isPlainObject(value)) return false;
  const { name, type, properties, metadata, sidecars } = value;
  return (
    typeof name === 'string' &&
    name !== '' &&
    (absent(type) || typeof type === 'string') &&
    (absent(properties) || isPlainObject(properties)) &&
    (absent(metadata) ||
      (isPlainObject(metadata) && Object.values(metadata).every((item) => typeof item === 'string'))) &&
    (absent(sidecars) || (Array.isArray(sidecars) && sidecars.every((item) => isPlainObject(item))))
  );
}

/** `null` means absent, as in Symphony. */
function absent(value: unknown): boolean {
  return value === undefined || value === null;
}
