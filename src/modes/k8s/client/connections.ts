import { createHash } from 'node:crypto';
import { Agent, ProxyAgent, type Dispatcher } from 'undici';
import type { ClusterAccess, Credentials, TlsMaterial } from './cluster-access.js';

/**
 * Which sockets a request uses. `shared` is a bounded pool. A watch holds its socket for minutes, so watches have sockets
 * outside of it, one each. Leases have two of their own: a renewal must not wait behind a full pool.
 */
export type Channel = 'shared' | 'watch' | 'lease';

export interface Connection {
  dispatcher: Dispatcher;
  /** Whose headers go with each request. */
  credentials: Credentials;
}

const CONNECT_MS = 10_000;
const LEASE_SOCKETS = 2;
/** Below the 60 s after which balancers in front of API servers forget idle connections, as in client-go. */
const KEEP_ALIVE_MS = 30_000;

/**
 * The sockets to one API server. There is one set of pools for all requests (a pool per request would be a handshake per
 * request), and a new set when the certificates have changed: requests that are under way end on the old one.
 */
export class Connections {
  #current: { fingerprint: string; pools: Record<Channel, Dispatcher> } | undefined;
  readonly #retired = new Set<Dispatcher>();
  #closed = false;

  constructor(
    private readonly access: ClusterAccess,
    /** The most sockets of the channel `shared`. */
    private readonly sockets: number,
  ) {}

  async open(channel: Channel): Promise<Connection> {
    const credentials = await this.access.credentials();
    if (this.#closed) throw new Error('the client is closed');
    const fingerprint = fingerprintOf(credentials.tls);
    if (this.#current?.fingerprint !== fingerprint) {
      if (this.#current) this.#retire(Object.values(this.#current.pools));
      this.#current = { fingerprint, pools: this.#pools(credentials.tls) };
    }
    return { dispatcher: this.#current.pools[channel], credentials };
  }

  /** Ends all connections, with whatever goes over them. */
  async close(): Promise<void> {
    this.#closed = true;
    const all = [...Object.values(this.#current?.pools ?? {}), ...this.#retired];
    this.#current = undefined;
    this.#retired.clear();
    await Promise.all(all.map((pool) => pool.destroy()));
  }

  #pools(tls: TlsMaterial): Record<Channel, Dispatcher> {
    return {
      shared: this.#pool(tls, this.sockets),
      watch: this.#pool(tls, null),
      lease: this.#pool(tls, LEASE_SOCKETS),
    };
  }

  #pool(tls: TlsMaterial, connections: number | null): Dispatcher {
    const options = {
      connections,
      pipelining: 1,
      allowH2: false,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // Requests have deadlines of their own.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    const socket = { keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS, timeout: CONNECT_MS };
    const { proxy } = this.access;
    return proxy === undefined
      ? new Agent({ ...options, connect: { ...socket, ...tls } })
      : new ProxyAgent({ ...options, uri: proxy, requestTls: { ...socket, ...tls } });
  }

  #retire(pools: readonly Dispatcher[]): void {
    for (const pool of pools) {
      this.#retired.add(pool);
      // Watches end within minutes by themselves; what is left by then has nobody who waits for it.
      pool.close().then(
        () => this.#retired.delete(pool),
        () => this.#retired.delete(pool),
      );
    }
  }
}

function fingerprintOf(tls: TlsMaterial): string {
  const hash = createHash('sha256');
  for (const [name, value] of Object.entries(tls).sort(([a], [b]) => (a < b ? -1 : 1))) {
    hash
      .update(`${name}\0`)
      .update(Buffer.isBuffer(value) ? value : JSON.stringify(value))
      .update('\0');
  }
  return hash.digest('hex');
}
