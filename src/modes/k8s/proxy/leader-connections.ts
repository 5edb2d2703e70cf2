import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { Agent, type Dispatcher } from 'undici';
import { messageOf } from '@symphony/model';

/** Files are read again after so long. */
const FRESH_MS = 10_000;
const CONNECT_MS = 3_000;
/** Answers may be streams without an end, each with a connection of its own. */
const MOST_CONNECTIONS = 128;
const KEEP_ALIVE_MS = 30_000;

export interface LeaderTrustOptions {
  /** `http.tlsCert`: the leader serves the same one, or its renewal. */
  ownCertificate?: string | undefined;
  /** `kubernetes.leaderCa`; wins over trusting our own certificate and those of Node.js. */
  ca?: string | undefined;
  /** `kubernetes.leaderServerName`; wins over the first DNS name of our own certificate. */
  serverName?: string | undefined;
}

interface Trust {
  ca: string[];
  servername: string | undefined;
}

/**
 * Connections to the leader. Its certificate is verified: with the configured authorities, else with our own certificate (all replicas
 * serve the same Secret), `ca.crt` beside it, and those that Node.js trusts. Pods are reached by addresses that no certificate names, so the name that
 * is asked for is that of our own certificate.
 */
export class LeaderConnections {
  #current: { key: string; agent: Agent } | undefined;
  #readAt = -Infinity;
  #reading: Promise<Agent> | undefined;

  constructor(
    private readonly options: LeaderTrustOptions,
    private readonly freshMs = FRESH_MS,
  ) {}

  /** @throws Error when the files cannot be read, and never could */
  async dispatcher(): Promise<Dispatcher> {
    if (this.#current && performance.now() - this.#readAt < this.freshMs) return this.#current.agent;
    this.#reading ??= this.#renew().finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    await this.#current?.agent.destroy();
  }

  async #renew(): Promise<Agent> {
    let trust: Trust;
    try {
      trust = await readTrust(this.options);
    } catch (error) {
      // In the middle of a rotation a file may be missing: what was trusted is trusted still.
      if (!this.#current)
        throw new Error(`what the leader is verified with cannot be read: ${messageOf(error)}`, {
          cause: error,
        });
      return this.#current.agent;
    }
    this.#readAt = performance.now();
    const key = JSON.stringify(trust);
    if (this.#current?.key === key) return this.#current.agent;
    const agent = new Agent({
      connections: MOST_CONNECTIONS,
      pipelining: 1,
      keepAliveTimeout: KEEP_ALIVE_MS,
      // The way of each answer is watched by whoever waits for it.
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: { timeout: CONNECT_MS, ...trust },
    });
    // Answers under way end on the old connections.
    void this.#current?.agent.close().catch(() => undefined);
    this.#current = { key, agent };
    return agent;
  }
}

async function readTrust({ ownCertificate, ca, serverName }: LeaderTrustOptions): Promise<Trust> {
  const [own, issuer, configured] = await Promise.all([
    readOptional(ownCertificate),
    issuerBeside(ownCertificate),
    readOptional(ca),
  ]);
  // The authority first: of certificates with one subject the first counts.
  const known = [issuer, own].filter((text) => text !== undefined);
  return {
    ca: configured === undefined ? [...rootCertificates, ...known] : [configured],
    servername: serverName ?? (own === undefined ? undefined : firstNameOf(own)),
  };
}

async function readOptional(path: string | undefined): Promise<string | undefined> {
  return path === undefined ? undefined : readFile(path, 'utf8');
}

/** Who makes certificates for a Secret, such as cert-manager, puts the authority's own into it as `ca.crt`. */
async function issuerBeside(certificate: string | undefined): Promise<string | undefined> {
  if (certificate === undefined) return undefined;
  return readFile(join(dirname(certificate), 'ca.crt'), 'utf8').catch(() => undefined);
}

/** `DNS:symphony.symphony.svc, IP Address:…`; undefined when there is no DNS name: then the address is what is verified. */
function firstNameOf(certificate: string): string | undefined {
  return /(?:^|, )DNS:([A-Za-z0-9.-]+)/.exec(new X509Certificate(certificate).subjectAltName ?? '')?.[1];
}
