import { isPlainObject, StateCode, type ComponentResultSpec, type ComponentSpec } from '@symphony/model';
import { ProviderError, type ApplyResults } from '@symphony/provider-kit';

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
  const results = new Map<string, ComponentResultSpec>();
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
): ComponentResultSpec {
  const status = isPlainObject(entry) ? entry['status'] : undefined;
  if (!isPlainObject(entry) || typeof status !== 'number' || !Number.isInteger(status)) {
    return { status: failure, message: `${script} reported no whole number as the status.` };
  }
  const message = typeof entry['message'] === 'string' ? entry['message'] : '';
  return { status, message: redact(message).slice(0, MAX_MESSAGE) };
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
