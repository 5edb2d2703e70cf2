import { canonicalJson, isPlainObject } from '@symphony/model';
import type { HostConfig } from './engine/types.js';

/** The keys of Docker's HostConfig that are about resources, and no more: others give rights over the host. */
const KEYS = [
  'BlkioWeight',
  'CpuCount',
  'CpuPercent',
  'CpuPeriod',
  'CpuQuota',
  'CpuRealtimePeriod',
  'CpuRealtimeRuntime',
  'CpuShares',
  'CpusetCpus',
  'CpusetMems',
  'KernelMemory',
  'KernelMemoryTCP',
  'Memory',
  'MemoryReservation',
  'MemorySwap',
  'MemorySwappiness',
  'NanoCpus',
  'OomKillDisable',
  'PidsLimit',
  'ShmSize',
  'Ulimits',
] as const;

/** These hand devices of the host to a container. */
const DEVICE_KEYS = ['Devices', 'DeviceCgroupRules', 'DeviceRequests'] as const;

const CANONICAL = new Map([...KEYS, ...DEVICE_KEYS].map((key) => [key.toLowerCase(), key]));
const DEVICES: ReadonlySet<string> = new Set(DEVICE_KEYS);

export type Resources = Record<string, unknown>;

/**
 * Reads a block of resources, as JSON text or as an object; the case of its keys does not matter.
 * @throws Error with a message that says what is wrong
 */
export function parseResources(value: unknown, allowDevices: boolean): Resources {
  const block = typeof value === 'string' ? parseJson(value) : value;
  if (!isPlainObject(block)) throw new Error('must be a JSON object such as {"Memory": 67108864}');
  const resources: Resources = {};
  for (const [name, item] of Object.entries(block)) {
    const key = CANONICAL.get(name.toLowerCase());
    if (key === undefined) {
      throw new Error(`has the unknown key ${JSON.stringify(name)}; known are ${KEYS.join(', ')}`);
    }
    if (DEVICES.has(key) && !allowDevices) {
      throw new Error(
        `asks for ${key}, which this target does not give: set 'allowDevices' in the configuration of its binding`,
      );
    }
    resources[key] = typeof item === 'bigint' ? Number(item) : item;
  }
  return resources;
}

/** What of a container's resources is set to something. */
export function resourcesOf(config: HostConfig): Resources {
  return Object.fromEntries(
    [...CANONICAL.values()].filter((key) => !isUnset(config[key])).map((key) => [key, config[key]]),
  );
}

/** Whether everything that is declared is so; the engine fills in more (MemorySwap follows Memory). */
export function hasResources(actual: Resources, declared: Resources): boolean {
  return Object.entries(declared).every(
    ([key, value]) =>
      (isUnset(value) && isUnset(actual[key])) || canonicalJson(actual[key]) === canonicalJson(value),
  );
}

function isUnset(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return value === undefined || value === null || value === 0 || value === '' || value === false;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
