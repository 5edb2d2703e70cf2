import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Received {
  method: string;
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

type Respond = (received: Received, response: ServerResponse) => void;

/** A real server on loopback that notes what it gets. */
export class HttpServerFixture {
  readonly received: Received[] = [];
  readonly #waiting: (() => void)[] = [];

  private constructor(
    private readonly server: Server,
    public respond: Respond,
    readonly url: string,
  ) {}

  static async start(respond: Respond = (_received, response) => response.end()): Promise<HttpServerFixture> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const fixture = new HttpServerFixture(server, respond, `http://127.0.0.1:${port}`);
    server.on('request', (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        const { method = '', url = '', headers } = request;
        const received = { method, path: url, headers, body: Buffer.concat(chunks).toString('utf8') };
        fixture.received.push(received);
        for (const wake of fixture.#waiting.splice(0)) wake();
        fixture.respond(received, response);
      });
    });
    return fixture;
  }

  /** Resolves at the next request. */
  next(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
