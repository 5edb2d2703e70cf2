import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A socket in front of an engine's own that can be broken in the ways that the engine itself cannot show on demand. */
export class FaultySocket {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  #mode: 'pass' | 'hang' | 'refuse' = 'pass';
  #onRequest: () => void = () => undefined;

  private constructor(
    private readonly path: string,
    private readonly target: string,
  ) {
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** @param host of the engine, `unix://…` or `tcp://…` */
  static async before(host: string): Promise<FaultySocket> {
    const proxy = new FaultySocket(join(tmpdir(), `symphony-${randomBytes(6).toString('hex')}.sock`), host);
    await proxy.#listen();
    return proxy;
  }

  get host(): string {
    return `unix://${this.path}`;
  }

  /** Ends what is open; from now on nobody listens. */
  async refuse(): Promise<void> {
    this.#mode = 'refuse';
    this.#cut();
    await new Promise((resolve) => this.#server.close(resolve));
    await rm(this.path, { force: true });
  }

  /** Listens again. */
  async restore(): Promise<void> {
    this.#mode = 'pass';
    await this.#listen();
  }

  /** Requests are accepted and never answered. @returns resolves when there is one */
  hang(): Promise<void> {
    this.#mode = 'hang';
    this.#cut();
    return new Promise((resolve) => {
      this.#onRequest = resolve;
    });
  }

  async close(): Promise<void> {
    if (this.#mode !== 'refuse') await this.refuse();
  }

  #listen(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(this.path, resolve);
    });
  }

  #cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #accept(socket: Socket): void {
    this.#keep(socket);
    if (this.#mode === 'hang') {
      socket.once('data', () => this.#onRequest());
      return;
    }
    const url = this.target.startsWith('tcp:') ? new URL(this.target.replace('tcp:', 'http:')) : undefined;
    const engine = url
      ? connect(Number(url.port), url.hostname)
      : connect(this.target.slice('unix://'.length));
    this.#keep(engine);
    socket.pipe(engine);
    engine.pipe(socket);
    socket.on('close', () => engine.destroy());
    engine.on('close', () => socket.destroy());
  }

  #keep(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
  }
}
