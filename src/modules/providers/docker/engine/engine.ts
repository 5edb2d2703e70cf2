import { isPlainObject } from '@symphony/model';
import { EngineConnection, EngineError, type EngineRequest } from './connection.js';
import { jsonLines, logText } from './frames.js';
import type { ContainerInspect, ContainerSummary, CreationBody, EngineEvent } from './types.js';

/** How much of a log is fetched at most. */
const MAX_LOG_BYTES = 64 * 1024;
const LOG_LINES = 20;

export interface Inspected {
  container: ContainerInspect;
  /** By the clock of the engine, in milliseconds. */
  at: number;
}

/** The calls of the engine's API that are needed. All throw `EngineError` or `ProviderError`. */
export class DockerEngine {
  constructor(private readonly connection: EngineConnection) {}

  /** All containers, running or not, that carry these labels. */
  async list(labels: Readonly<Record<string, string>>, signal: AbortSignal): Promise<ContainerSummary[]> {
    const filters = { label: Object.entries(labels).map(([key, value]) => `${key}=${value}`) };
    const query = { all: '1', filters: JSON.stringify(filters) };
    const found = await this.#json({ method: 'GET', path: '/containers/json', query, signal });
    return found as ContainerSummary[];
  }

  /** @returns undefined when there is none of that id or name */
  async inspect(idOrName: string, signal: AbortSignal): Promise<Inspected | undefined> {
    const path = `/containers/${encodeURIComponent(idOrName)}/json`;
    return this.#unlessGone(async () => {
      const { text, at } = await this.connection.send({ method: 'GET', path, signal });
      return { container: JSON.parse(text) as ContainerInspect, at: at ?? Date.now() };
    });
  }

  /** @returns the id of the new container, which is not started */
  async create(name: string, body: CreationBody, signal: AbortSignal): Promise<string> {
    const query = { name };
    const made = await this.#json({ method: 'POST', path: '/containers/create', query, json: body, signal });
    return (made as { Id: string }).Id;
  }

  /** Succeeds when it runs already. */
  async start(id: string, signal: AbortSignal): Promise<void> {
    await this.connection.send({ method: 'POST', path: `/containers/${id}/start`, signal });
  }

  async unpause(id: string, signal: AbortSignal): Promise<void> {
    await this.connection.send({ method: 'POST', path: `/containers/${id}/unpause`, signal });
  }

  /** Stops it as it wants to be stopped; succeeds when it does not run or is gone. */
  async stop(id: string, signal: AbortSignal): Promise<void> {
    const path = `/containers/${id}/stop`;
    await this.#unlessGone(() => this.connection.send({ method: 'POST', path, signal }));
  }

  /** Removes it with its anonymous volumes, and waits until it is gone; named volumes stay. */
  async remove(id: string, signal: AbortSignal): Promise<void> {
    const query = { force: '1', v: '1' };
    try {
      await this.connection.send({ method: 'DELETE', path: `/containers/${id}`, query, signal });
    } catch (error) {
      if (!(error instanceof EngineError) || (error.status !== 404 && error.status !== 409)) throw error;
      // 409: somebody else is removing it.
      const query = { condition: 'removed' };
      const wait = { method: 'POST' as const, path: `/containers/${id}/wait`, query, signal };
      if (error.status === 409) await this.#unlessGone(() => this.connection.send(wait));
    }
  }

  async rename(id: string, name: string, signal: AbortSignal): Promise<void> {
    await this.connection.send({ method: 'POST', path: `/containers/${id}/rename`, query: { name }, signal });
  }

  async connectNetwork(network: string, id: string, signal: AbortSignal): Promise<void> {
    const path = `/networks/${encodeURIComponent(network)}/connect`;
    await this.connection.send({ method: 'POST', path, json: { Container: id }, signal });
  }

  /**
   * Waits for the next end of a container. Resolves when the engine has taken note, so that no end from then on is missed.
   * @returns what waits for the exit code
   */
  async nextExit(id: string, signal: AbortSignal): Promise<() => Promise<number>> {
    const path = `/containers/${id}/wait`;
    const query = { condition: 'next-exit' };
    const { body } = await this.connection.open({ method: 'POST', path, query, signal });
    return async () => {
      const { StatusCode } = JSON.parse(await this.connection.read(body.text(), signal)) as {
        StatusCode: number;
      };
      return StatusCode;
    };
  }

  /** The last lines that it wrote; empty when its log cannot be read. */
  async lastLines(container: ContainerInspect, signal: AbortSignal): Promise<string> {
    const query = { stdout: '1', stderr: '1', tail: String(LOG_LINES) };
    const path = `/containers/${container.Id}/logs`;
    try {
      const { body } = await this.connection.open({ method: 'GET', path, query, signal });
      const bytes = await this.connection.read(firstBytes(body, MAX_LOG_BYTES), signal);
      return logText(bytes, container.Config?.Tty === true).trim();
    } catch (error) {
      // Some log drivers cannot be read from, and the container may be gone.
      if (error instanceof EngineError) return '';
      throw error;
    }
  }

  /** @returns the id of the image, undefined when the engine does not have it */
  async imageId(reference: string, signal: AbortSignal): Promise<string | undefined> {
    const path = `/images/${encodeURIComponent(reference)}/json`;
    const image = await this.#unlessGone(() => this.#json({ method: 'GET', path, signal }));
    return image === undefined ? undefined : (image as { Id: string }).Id;
  }

  /** Has the engine fetch an image; `auth` is the value of its `X-Registry-Auth`. */
  async pull(image: string, tag: string, auth: string | undefined, signal: AbortSignal): Promise<void> {
    const { body } = await this.connection.open({
      method: 'POST',
      path: '/images/create',
      query: { fromImage: image, tag },
      headers: auth === undefined ? {} : { 'x-registry-auth': auth },
      signal,
    });
    // The status is sent before the work: only the stream tells how it ended.
    await this.connection.read(throwOnError(body), signal);
  }

  /** The engine's events about containers with a label, until the signal fires or the engine ends the stream. */
  async events(
    label: string,
    actions: readonly string[],
    signal: AbortSignal,
  ): Promise<AsyncIterable<EngineEvent>> {
    const filters = JSON.stringify({ type: ['container'], label: [label], event: actions });
    const query = { filters };
    const { body } = await this.connection.open({ method: 'GET', path: '/events', query, signal });
    return jsonLines(body) as AsyncIterable<EngineEvent>;
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  async #json(asked: EngineRequest): Promise<unknown> {
    return JSON.parse((await this.connection.send(asked)).text) as unknown;
  }

  async #unlessGone<T>(run: () => Promise<T>): Promise<T | undefined> {
    try {
      return await run();
    } catch (error) {
      if (error instanceof EngineError && error.status === 404) return undefined;
      throw error;
    }
  }
}

async function firstBytes(body: AsyncIterable<Uint8Array>, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= limit) break;
  }
  return Buffer.concat(chunks);
}

async function throwOnError(body: AsyncIterable<Uint8Array>): Promise<void> {
  let failure: string | undefined;
  for await (const line of jsonLines(body)) {
    if (isPlainObject(line) && typeof line['error'] === 'string') failure ??= line['error'];
  }
  if (failure !== undefined) throw new EngineError(500, failure);
}
