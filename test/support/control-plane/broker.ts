import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { request } from 'undici';
import { BUILD_MS, kubeconfigAccess, programs, usesOwnKubeconfig } from './assets.js';
import type { ClusterAccess } from './connection.js';
import { ControlPlane } from './control-plane.js';

/**
 * Hands one cluster to all test files of a run. It is started when the first of them asks, so a run without tests of
 * Kubernetes pays nothing, and it does not matter which files those are.
 */
export class ClusterBroker {
  #plane: Promise<ControlPlane> | undefined;
  readonly #server = createServer((incoming, answer) => {
    void this.#answer(incoming.url ?? '', answer);
  });
  readonly #path = `/${randomUUID()}`;

  /** @returns the address to ask at */
  async start(): Promise<string> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}${this.#path}`;
  }

  async stop(): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await (await this.#plane?.catch(() => undefined))?.stop();
  }

  async #answer(path: string, answer: ServerResponse): Promise<void> {
    if (path !== this.#path) {
      answer.writeHead(404).end();
      return;
    }
    try {
      const access = await this.#access();
      answer.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(access));
    } catch (error) {
      answer.writeHead(503).end(error instanceof Error ? error.message : String(error));
    }
  }

  async #access(): Promise<ClusterAccess> {
    if (usesOwnKubeconfig()) return kubeconfigAccess();
    this.#plane ??= programs().then((assets) => ControlPlane.start({ assets }));
    return (await this.#plane).access;
  }
}

/** Asks a broker for its cluster, which it may have to build and start. @throws Error when there is none */
export async function askBroker(address: string): Promise<ClusterAccess> {
  const answer = await request(address, { headersTimeout: 0, signal: AbortSignal.timeout(BUILD_MS) });
  const text = await answer.body.text();
  if (answer.statusCode !== 200) throw new Error(`no Kubernetes cluster for the tests: ${text}`);
  return JSON.parse(text) as ClusterAccess;
}
