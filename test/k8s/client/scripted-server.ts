import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { onTestFinished } from 'vitest';

export interface SeenRequest {
  method: string;
  /** With its query. */
  url: string;
  headers: IncomingMessage['headers'];
  body: string;
  /** By `performance.now()`. */
  at: number;
}

export type Answer = (request: SeenRequest, response: ServerResponse) => void;

/**
 * An HTTP server that answers as a test tells it: for faults that a real API server cannot be brought to show. It ends with
 * the test.
 */
export class ScriptedServer {
  readonly requests: SeenRequest[] = [];
  /** Of all connections that there were. */
  connections = 0;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    readonly url: string,
  ) {
    server.on('connection', (socket: Socket) => {
      this.connections += 1;
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(answer: Answer, tls?: TlsOptions): Promise<ScriptedServer> {
    let scripted: ScriptedServer | undefined;
    const listener: RequestListener = (incoming, response) => {
      const chunks: Uint8Array[] = [];
      incoming.on('data', (chunk: Uint8Array) => chunks.push(chunk));
      incoming.on('end', () => {
        const { method = '', url = '', headers } = incoming;
        const body = Buffer.concat(chunks).toString();
        const request = { method, url, headers, body, at: performance.now() };
        scripted?.requests.push(request);
        answer(request, response);
      });
    };
    const server = tls ? createTlsServer(tls, listener) : createServer(listener);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    scripted = new ScriptedServer(server, `${tls ? 'https' : 'http'}://127.0.0.1:${port}`);
    onTestFinished(() => scripted?.stop());
    return scripted;
  }

  /** Connections that are open now. */
  get open(): number {
    return this.#sockets.size;
  }

  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.cutAll();
    if (!this.server.listening) return;
    this.server.close();
    await once(this.server, 'close');
  }
}

export function json(response: ServerResponse, status: number, body: unknown, headers = {}): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

/** A refusal as an API server words it. */
export function statusBody(code: number, reason: string, more: object = {}): object {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    code,
    reason,
    message: `it is ${reason}`,
    ...more,
  };
}

/** Lines of a watch. */
export function eventLine(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}
