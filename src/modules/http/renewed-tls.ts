import { readFile } from 'node:fs/promises';
import type { Server } from 'node:net';
import { Server as TlsServer } from 'node:tls';
import { messageOf } from '@symphony/model';
import type { Logger } from 'pino';
import { checkedTls, fingerprintOf, type TlsBytes, type TlsIdentity } from './tls.js';

/** A renewed certificate is served this soon. Clients get new ones days before the old ones end. */
const LOOK_EVERY_MS = 10_000;

/**
 * Serves a renewed certificate without a restart: looks at the files, and gives what is new and usable to the server.
 * Connections that are open stay as they are. What is not usable is said once, and the old certificate goes on.
 *
 * By looking at the content, not by events of the file system: Kubernetes swaps a link two folders above, other tools rename
 * or rewrite, and over network mounts there are no events at all. Two small files in ten seconds cost nothing.
 */
export class RenewedTls {
  readonly #files: TlsIdentity['files'];
  #served: string;
  /** What could not be used, and was the same when last looked at: half a renewal is no news. */
  #unusable: { fingerprint: string; told: boolean } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking = false;

  constructor(
    identity: TlsIdentity,
    private readonly server: Server,
    private readonly log: Pick<Logger, 'info' | 'warn'>,
    private readonly everyMs = LOOK_EVERY_MS,
  ) {
    this.#files = identity.files;
    this.#served = fingerprintOf(identity);
  }

  /** Begins to look, until `stop`. It does not keep the process alive. */
  start(): void {
    this.#timer ??= setInterval(() => void this.look(), this.everyMs).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Looks once; never throws. */
  async look(): Promise<void> {
    if (this.#looking) return;
    this.#looking = true;
    try {
      await this.#look();
    } finally {
      this.#looking = false;
    }
  }

  async #look(): Promise<void> {
    const found = await this.#read();
    if (typeof found === 'string') return this.#tellUnusable(found, found);
    const fingerprint = fingerprintOf(found);
    if (fingerprint === this.#served) {
      this.#unusable = undefined;
      return;
    }
    try {
      this.#serve(checkedTls(found, this.#files));
      this.#served = fingerprint;
      this.#unusable = undefined;
    } catch (error) {
      this.#tellUnusable(fingerprint, messageOf(error));
    }
  }

  /** Both files, or why they cannot be read. */
  async #read(): Promise<TlsBytes | string> {
    try {
      const [cert, key] = await Promise.all([readFile(this.#files.cert), readFile(this.#files.key)]);
      return { cert, key };
    } catch (error) {
      return messageOf(error);
    }
  }

  #serve({ cert, key, validTo }: TlsIdentity): void {
    if (!(this.server instanceof TlsServer)) throw new Error('the server does not speak TLS');
    this.server.setSecureContext({ cert, key });
    const until = validTo.toISOString();
    this.log.info({ msg: 'A renewed TLS certificate is served from now on', until });
    if (validTo.getTime() < Date.now()) {
      this.log.warn(`The renewed TLS certificate ended on ${until}: clients will refuse it.`);
    }
  }

  /** The two files are read one after the other, so that once in a while they are of two renewals: not worth a word. */
  #tellUnusable(fingerprint: string, why: string): void {
    const again = this.#unusable?.fingerprint === fingerprint;
    if (again && !this.#unusable?.told) {
      this.log.warn(
        `The TLS files were changed and cannot be used; the certificate of before is still served. ${why}`,
      );
    }
    this.#unusable = { fingerprint, told: again };
  }
}
