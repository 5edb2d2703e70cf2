import { randomUUID } from 'node:crypto';
import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { KubernetesApi } from './api.js';

const FLUSH_MS = 10_000;
const LOOK_EVERY_MS = 20;
/** Name of an object that is asked for to find the place in the log. */
const MARKER = 'audit-log-marker-';

/** One request that the API server answered; of its fields, those that tests look at. */
export interface AuditEvent {
  verb: string;
  requestURI: string;
  user: { username: string };
  userAgent?: string;
  objectRef?: {
    resource: string;
    namespace?: string;
    name?: string;
    apiGroup?: string;
    subresource?: string;
  };
  responseStatus?: { code: number; reason?: string };
  /** What the server adds, such as `authorization.k8s.io/decision`: `allow` or `forbid`. */
  annotations?: Record<string, string>;
  stage: 'ResponseStarted' | 'ResponseComplete' | 'Panic';
  requestReceivedTimestamp: string;
}

/** The requests that an API server of ours has answered since a moment, for counting them. */
export class AuditLog {
  #offset = 0;

  constructor(
    readonly file: string,
    readonly api: KubernetesApi,
  ) {}

  /** Forgets all requests up to now. */
  async forget(): Promise<void> {
    const { bytes } = await this.#upToNow();
    this.#offset += bytes;
  }

  /**
   * All requests since `forget` that were answered before this call. A watch is there once when it begins (stage
   * `ResponseStarted`) and once more when it ends.
   * @param containing only of those whose line contains this: a log of many is long
   */
  async events(containing = ''): Promise<AuditEvent[]> {
    const { lines } = await this.#upToNow();
    return lines
      .filter((line) => line.includes(containing))
      .map((line) => JSON.parse(line) as AuditEvent)
      .filter(({ requestURI }) => !requestURI.includes(MARKER));
  }

  /** The log is written in the order of the answers: what stands before a request made now is complete. */
  async #upToNow(): Promise<{ lines: string[]; bytes: number }> {
    const marker = `${MARKER}${randomUUID()}`;
    await this.api.call('GET', `/api/v1/namespaces/default/configmaps/${marker}`).catch(() => undefined);
    const deadline = performance.now() + FLUSH_MS;
    for (;;) {
      const lines = (await this.#read()).split('\n');
      const at = lines.findIndex((line) => line.includes(marker));
      // Not the last one: after each complete line there is the (perhaps empty) beginning of the next.
      if (at !== -1 && at < lines.length - 1) {
        const text = `${lines.slice(0, at + 1).join('\n')}\n`;
        return { lines: lines.slice(0, at), bytes: Buffer.byteLength(text) };
      }
      if (performance.now() > deadline) throw new Error(`${this.file} does not tell of a request just made`);
      await delay(LOOK_EVERY_MS);
    }
  }

  async #read(): Promise<string> {
    const file = await open(this.file);
    try {
      const { size } = await file.stat();
      const { buffer, bytesRead } = await file.read({
        buffer: Buffer.alloc(Math.max(1, size - this.#offset)),
        position: this.#offset,
      });
      return buffer.toString('utf8', 0, bytesRead);
    } finally {
      await file.close();
    }
  }
}

/** The requests that change something. */
export function writes(events: readonly AuditEvent[]): AuditEvent[] {
  return events.filter(({ verb }) => !['get', 'list', 'watch'].includes(verb));
}
