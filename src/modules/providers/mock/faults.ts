import { ProviderConfigError } from '@symphony/provider-kit';

/** What goes wrong at a mock target; from the binding's configuration, or set by a test at run time. */
export interface MockFaults {
  /** Every call takes so long. */
  latencyMs?: number;
  /** Names of components whose apply fails, or `*`. */
  failApply?: readonly string[];
  /** The target cannot be read. */
  failGet?: boolean;
  /** The calls end only when they are aborted. */
  hangApply?: boolean;
  hangGet?: boolean;
  /** Applies, then fails as if the answer was lost on the network. */
  loseReply?: boolean;
  /** Names of components, or `*`: accepted with a ticket, and done when `MockControl.finish` says so. */
  pendApply?: readonly string[];
  /** How long a report is waited for. */
  pendMs?: number;
  /** Get reports nothing, or other properties than were applied. */
  lie?: 'nothing' | 'other';
}

const MAX_LATENCY_MS = 24 * 60 * 60 * 1000;

/**
 * Reads the fault switches; other keys are ignored.
 * @throws ProviderConfigError naming the key.
 */
export function readFaults(config: Readonly<Record<string, string>>): MockFaults {
  const faults: MockFaults = {};
  for (const key of ['latencyMs', 'pendMs'] as const) {
    const value = readMilliseconds(key, config[key]);
    if (value !== undefined) faults[key] = value;
  }
  for (const key of ['failApply', 'pendApply'] as const) {
    const names = (config[key] ?? '').split(',').map((name) => name.trim());
    const given = names.filter((name) => name !== '');
    if (given.length > 0) faults[key] = given;
  }
  for (const key of ['failGet', 'hangApply', 'hangGet', 'loseReply'] as const) {
    if (readFlag(key, config[key])) faults[key] = true;
  }
  const lie = config['lie'] ?? '';
  if (lie !== '' && lie !== 'nothing' && lie !== 'other') {
    throw new ProviderConfigError("The configuration key 'lie' must be 'nothing' or 'other'.");
  }
  if (lie !== '') faults.lie = lie;
  return faults;
}

function readMilliseconds(key: string, text = ''): number | undefined {
  if (text === '') return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= MAX_LATENCY_MS) return value;
  throw new ProviderConfigError(
    `The configuration key '${key}' must be a whole number of milliseconds up to ${MAX_LATENCY_MS}.`,
  );
}

/** How many calls the target bears at once, where the configuration says so. */
export function readConcurrency(config: Readonly<Record<string, string>>): number | undefined {
  const text = config['concurrency'] ?? '';
  if (text === '') return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new ProviderConfigError(
    "The configuration key 'concurrency' must be a whole number of calls, at least 1.",
  );
}

function readFlag(key: string, text = ''): boolean {
  if (text === 'true') return true;
  if (text === '' || text === 'false') return false;
  throw new ProviderConfigError(`The configuration key '${key}' must be 'true' or 'false'.`);
}
