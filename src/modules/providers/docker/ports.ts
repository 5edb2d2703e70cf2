import { isPlainObject } from '@symphony/model';
import type { PortBinding } from './engine/types.js';

/** Docker's port map: by port and protocol of the container, for example `80/tcp`. */
export type PortMap = Record<string, PortBinding[]>;

/** As the engine reports it. */
type ReportedPorts = Readonly<Record<string, PortBinding[] | null>>;

const FORMAT =
  'invalid container.ports format, expected Docker port map JSON such as {"80/tcp":[{"HostPort":"8080"}]}';

/**
 * Reads Docker's own port map, or Symphony's shorthand with one object in place of a list; as JSON text or as an object.
 * The case of the inner keys does not matter.
 * @throws Error with a message that says what is wrong
 */
export function parsePorts(value: unknown): PortMap {
  const map = typeof value === 'string' ? parseJson(value) : value;
  if (!isPlainObject(map) || Object.keys(map).length === 0) throw new Error(FORMAT);
  const ports: PortMap = {};
  for (const [key, item] of Object.entries(map)) {
    const port = containerPort(key);
    const bindings: unknown[] = Array.isArray(item) ? item : [item];
    if (bindings.length === 0 || port in ports) throw new Error(`${FORMAT}; see ${JSON.stringify(key)}`);
    ports[port] = bindings.map((binding) => readBinding(key, binding));
  }
  return ports;
}

/** Equal maps give equal text, however they are written. */
export function normalisedPorts(ports: PortMap): string {
  const sorted = Object.keys(ports)
    .sort()
    .map((port) => [
      port,
      (ports[port] ?? []).map(({ HostIp = '', HostPort = '' }) => `${HostIp}:${HostPort}`).sort(),
    ]);
  return JSON.stringify(sorted);
}

/** Whether two containers with these ports can run at the same time. */
export function portsClash(a: ReportedPorts, b: ReportedPorts): boolean {
  const taken = new Set(Object.entries(a).flatMap(hostPorts));
  return Object.entries(b)
    .flatMap(hostPorts)
    .some((port) => taken.has(port));
}

/** Ranges count as all of their ports; addresses are not told apart, since `0.0.0.0` covers them all. */
function hostPorts([port, bindings]: [string, PortBinding[] | null]): string[] {
  const protocol = port.split('/')[1] ?? 'tcp';
  return (bindings ?? []).flatMap(({ HostPort = '' }) => {
    const [first = 0, last = first] = HostPort.split('-').map(Number);
    if (first === 0) return [];
    return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new Error(FORMAT);
  }
}

function containerPort(key: string): string {
  const [, port = '', protocol = 'tcp'] = /^(\d{1,5})(?:\/(tcp|udp|sctp))?$/i.exec(key) ?? [];
  if (!isPort(port)) throw new Error(`${FORMAT}; ${JSON.stringify(key)} is not a port`);
  return `${Number(port)}/${protocol.toLowerCase()}`;
}

function readBinding(key: string, binding: unknown): PortBinding {
  if (!isPlainObject(binding)) throw new Error(`${FORMAT}; see ${JSON.stringify(key)}`);
  const read: Required<PortBinding> = { HostIp: '', HostPort: '' };
  for (const [name, value] of Object.entries(binding)) {
    const text = typeof value === 'string' ? value : typeof value === 'number' ? String(value) : undefined;
    const lower = name.toLowerCase();
    if (text === undefined || (lower !== 'hostip' && lower !== 'hostport')) {
      throw new Error(
        `${FORMAT}; ${JSON.stringify(key)} has an unknown or malformed ${JSON.stringify(name)}`,
      );
    }
    read[lower === 'hostip' ? 'HostIp' : 'HostPort'] = text.trim();
  }
  // Docker's other way to say "any".
  if (read.HostPort === '0') read.HostPort = '';
  const range = read.HostPort.split('-');
  const sound = range.length <= 2 && range.every((port) => isPort(port) || read.HostPort === '');
  if (!sound || Number(range[0]) > Number(range[1] ?? range[0])) {
    throw new Error(`${FORMAT}; the HostPort of ${JSON.stringify(key)} is not a port`);
  }
  return read;
}

function isPort(text: string): boolean {
  return /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535;
}
