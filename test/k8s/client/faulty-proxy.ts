import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { Agent, request } from 'undici';
import type { KubernetesConnection } from '../../support/control-plane/connection.js';

export interface ProxiedRequest {
  method: string;
  /** With its query. */
  url: string;
  watch: boolean;
  /** By `performance.now()`. */
  at: number;
  body: string;
  /** By the API server. */
  answered?: { status: number; at: number };
}

export type Fault =
  /** Ends the connection; the request reaches nobody. */
  | 'cut-before'
  /** The request is carried out, the answer gets lost. */
  | 'cut-after'
  /** Nothing comes back, ever; the request reaches nobody. */
  | 'hang'
  /** The request is passed on later. */
  | { delayMs: number }
  /** Awaited before the request is passed on, and between the server's answer and the client's hearing of it. */
  | { before: () => Promise<void>; after: () => Promise<void> }
  | { status: number; headers?: Record<string, string>; body: unknown };

/**
 * An HTTP proxy in front of a real API server, that speaks to it as the administrator and has faults on demand: what a
 * network, a balancer or a bug would do to the requests of one client.
 */
export class FaultyProxy {
  readonly requests: ProxiedRequest[] = [];
  /** Of all connections that there were, and the most at one time. */
  connections = 0;
  peak = 0;
  /** Decides about each request. */
  fault: (request: ProxiedRequest) => Fault | undefined = () => undefined;
  /** Decides what becomes of each event of a watch, a line without its end. `later` sends one more, at any time. */
  tamper: (line: string, request: ProxiedRequest, later: (line: string) => void) => readonly string[] = (
    line,
  ) => [line];
  readonly #sockets = new Set<Socket>();
  readonly #agent: Agent;
  #refusing = false;

  private constructor(
    private readonly server: Server,
    private readonly target: KubernetesConnection,
  ) {
    this.#agent = new Agent({ connect: { ca: target.ca }, bodyTimeout: 0, headersTimeout: 0 });
    server.on('request', (incoming, response) => void this.#serve(incoming, response));
    server.on('connection', (socket: Socket) => {
      if (this.#refusing) {
        socket.destroy();
        return;
      }
      this.connections += 1;
      this.#sockets.add(socket);
      this.peak = Math.max(this.peak, this.#sockets.size);
      socket.once('close', () => this.#sockets.delete(socket));
    });
  }

  static async start(target: KubernetesConnection): Promise<FaultyProxy> {
    const server = createServer({ keepAliveTimeout: 60_000 }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new FaultyProxy(server, target);
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Ends all connections of this moment. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Ends all connections, and every new one at once, until `up`. */
  down(): void {
    this.#refusing = true;
    this.cut();
  }

  up(): void {
    this.#refusing = false;
  }

  async stop(): Promise<void> {
    this.cut();
    this.server.close();
    await this.#agent.destroy();
  }

  async #serve(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '' } = incoming;
    const seen: ProxiedRequest = {
      method,
      url,
      watch: url.includes('watch=true'),
      at: performance.now(),
      body: '',
    };
    this.requests.push(seen);
    const chunks: Uint8Array[] = [];
    try {
      for await (const chunk of incoming as AsyncIterable<Uint8Array>) chunks.push(chunk);
      seen.body = Buffer.concat(chunks).toString();
      const fault = this.fault(seen);
      if (fault === 'hang') return;
      if (fault === 'cut-before') {
        response.destroy();
      } else if (fault !== undefined && typeof fault === 'object' && 'status' in fault) {
        response.writeHead(fault.status, { 'content-type': 'application/json', ...fault.headers });
        response.end(JSON.stringify(fault.body));
      } else {
        if (typeof fault === 'object' && 'delayMs' in fault) {
          await new Promise((resolve) => setTimeout(resolve, fault.delayMs));
        }
        if (typeof fault === 'object' && 'before' in fault) await fault.before();
        await this.#pass(seen, incoming, response, fault);
      }
    } catch {
      response.destroy();
    }
  }

  async #pass(
    seen: ProxiedRequest,
    { headers }: IncomingMessage,
    response: ServerResponse,
    fault: Fault | undefined,
  ): Promise<void> {
    const gone = new AbortController();
    if (response.destroyed) return;
    response.once('close', () => gone.abort());
    const answer = await request(`${this.target.server}${seen.url}`, {
      dispatcher: this.#agent,
      method: seen.method as 'GET',
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${this.target.user.token}`,
        // The server notes by it who set which field.
        ...(headers['user-agent'] ? { 'user-agent': headers['user-agent'] } : {}),
        ...(headers['content-type'] ? { 'content-type': headers['content-type'] } : {}),
      },
      body: seen.body === '' ? null : seen.body,
      signal: gone.signal,
    });
    seen.answered = { status: answer.statusCode, at: performance.now() };
    if (fault === 'cut-after') {
      await answer.body.dump();
      response.destroy();
      return;
    }
    const { 'content-type': type = 'text/plain', 'retry-after': retryAfter } = answer.headers;
    response.writeHead(answer.statusCode, {
      'content-type': String(type),
      ...(retryAfter === undefined ? {} : { 'retry-after': String(retryAfter) }),
    });
    if (!seen.watch || answer.statusCode !== 200) {
      const text = await answer.body.text();
      if (typeof fault === 'object' && 'after' in fault) await fault.after();
      response.end(text);
      return;
    }
    response.flushHeaders();
    const later = (line: string): void => {
      if (!response.destroyed && !response.writableEnded) response.write(`${line}\n`);
    };
    let rest = '';
    for await (const chunk of answer.body.setEncoding('utf8')) {
      const lines = (rest + String(chunk)).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) for (const out of this.tamper(line, seen, later)) later(out);
    }
    response.end();
  }
}
