import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { rootfs } from '../support/docker-engine.js';

const MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';

/** A registry on loopback, as far as an engine needs one to pull from it; tags can be moved. */
export class TestRegistry {
  /** `user:password` that is asked for; undefined: none. */
  login: string | undefined;
  /** Requests are accepted and never answered. */
  hangs = false;
  readonly #blobs = new Map<string, Buffer>();
  readonly #tags = new Map<string, string>();
  #onRequest: () => void = () => undefined;

  private constructor(
    private readonly server: Server,
    private readonly layer: Buffer,
  ) {
    server.on('request', (request, response) => this.#answer(request, response));
  }

  static async start(): Promise<TestRegistry> {
    const server = createServer();
    const registry = new TestRegistry(server, await rootfs());
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return registry;
  }

  get host(): string {
    return `127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** Makes a tag, or moves it: images with another word differ. @returns the name of the image */
  push(tag: string, word: string): string {
    const layer = gzipSync(this.layer);
    const config = {
      architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
      os: 'linux',
      config: { Env: ['PATH=/bin', `WORD=${word}`] },
      rootfs: { type: 'layers', diff_ids: [digestOf(this.layer)] },
    };
    const configBlob = Buffer.from(JSON.stringify(config));
    const part = (mediaType: string, blob: Buffer) => ({
      mediaType,
      size: blob.length,
      digest: this.#keep(blob),
    });
    const manifest = {
      schemaVersion: 2,
      mediaType: MANIFEST,
      config: part('application/vnd.docker.container.image.v1+json', configBlob),
      layers: [part('application/vnd.docker.image.rootfs.diff.tar.gzip', layer)],
    };
    this.#tags.set(tag, this.#keep(Buffer.from(JSON.stringify(manifest))));
    return `${this.host}/app:${tag}`;
  }

  /** Resolves at the next request. */
  asked(): Promise<void> {
    return new Promise((resolve) => {
      this.#onRequest = resolve;
    });
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #keep(blob: Buffer): string {
    const digest = digestOf(blob);
    this.#blobs.set(digest, blob);
    return digest;
  }

  #answer({ url = '', method, headers }: IncomingMessage, response: ServerResponse): void {
    this.#onRequest();
    if (this.hangs) return;
    const wanted =
      this.login === undefined ? undefined : `Basic ${Buffer.from(this.login).toString('base64')}`;
    if (wanted !== undefined && headers.authorization !== wanted) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end();
      return;
    }
    if (url === '/v2/') {
      response.writeHead(200).end('{}');
      return;
    }
    const [, kind, reference = ''] = /^\/v2\/app\/(manifests|blobs)\/(.+)$/.exec(url) ?? [];
    const digest = this.#tags.get(reference) ?? reference;
    const blob = this.#blobs.get(digest);
    if (!blob) {
      response.writeHead(404).end('{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}');
      return;
    }
    const type = kind === 'manifests' ? MANIFEST : 'application/octet-stream';
    response.writeHead(200, {
      'content-type': type,
      'content-length': blob.length,
      'docker-content-digest': digest,
    });
    response.end(method === 'HEAD' ? undefined : blob);
  }
}

function digestOf(blob: Buffer): string {
  return `sha256:${createHash('sha256').update(blob).digest('hex')}`;
}
