import { networkInterfaces } from 'node:os';
import { isIPv6 } from 'node:net';
import { isLoopback } from '../../../modules/auth/index.js';
import type { Leader } from '../leadership/index.js';

/** On the Lease: where its holder serves the API, such as `https://10.1.2.3:8082`. */
export const ADDRESS_ANNOTATION = 'engine.symphony/address';

export interface ListeningOptions {
  /** What is listened on. */
  host: string;
  /** The port that it came to be; 0 before it is known. */
  port: number;
  tls: boolean;
  /** `kubernetes.advertiseUrl`; wins. */
  advertiseUrl?: string | undefined;
  env?: NodeJS.ProcessEnv;
  /** Default: the machine's. */
  interfaces?: typeof networkInterfaces;
}

/**
 * Where other replicas reach this one: as configured; else where it listens; where that is everywhere, the pod's address
 * (`POD_IP`), else the first of the machine that is not loopback. Undefined while there is no such address.
 */
export function ownAddress(options: ListeningOptions): string | undefined {
  const { host, port, tls, advertiseUrl, env = process.env, interfaces = networkInterfaces } = options;
  if (advertiseUrl !== undefined) return advertiseUrl;
  const everywhere = /^(0\.0\.0\.0|\[?::\]?)$/.test(host);
  const address = everywhere ? env.POD_IP || firstAddress(interfaces()) : host;
  if (!address || port === 0) return undefined;
  const bare = address.replace(/^\[(.*)\]$/, '$1');
  return `${tls ? 'https' : 'http'}://${isIPv6(bare) ? `[${bare}]` : bare}:${port}`;
}

/** What a leader says of itself on the Lease: asked for at each acquisition, so it must listen by then. */
export function leaseAnnotations(options: ListeningOptions): Record<string, string> {
  const address = ownAddress(options);
  // Also when there is none: the one that the leader of before has left would be wrong.
  return { [ADDRESS_ANNOTATION]: address ?? '' };
}

/** IPv4 first: the way to a link-local IPv6 address needs an interface. */
function firstAddress(interfaces: ReturnType<typeof networkInterfaces>): string | undefined {
  const outside = Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ internal, address }) => !internal && !/^fe80:/i.test(address));
  return (outside.find(({ family }) => family === 'IPv4') ?? outside[0])?.address;
}

/**
 * Where the leader serves. Undefined when it does not say, or not in a way that a token may be sent to: over plain HTTP tokens go
 * nowhere but to this machine.
 */
export function addressOf({ annotations }: Pick<Leader, 'annotations'>): URL | undefined {
  const text = annotations[ADDRESS_ANNOTATION];
  if (text === undefined || !URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname))) return undefined;
  // Nothing but a place: what else may be in a URL is not for the writer of an annotation to choose.
  return url.username === '' && url.password === '' && url.pathname === '/' && url.search === ''
    ? new URL(url.origin)
    : undefined;
}
