import { EngineClient, type Answer } from './engine-client.js';
import type { EnginePlace } from './engine-place.js';

/** A client of an engine that says everything in the way of the engine's place. */
export class PlacedClient extends EngineClient {
  constructor(
    url: string,
    readonly place: EnginePlace,
  ) {
    super(url);
  }

  /** Where the engine keeps its objects, for another engine that shares them. */
  get databaseUrl(): string {
    return this.place.url;
  }

  /** What `default` is called to providers. */
  get namespace(): string {
    return this.place.namespace;
  }

  override async request<T = unknown>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<Answer<T>> {
    const answer = await this.place.request({ method, path, body, headers }, (said) =>
      super.request(said.method, said.path, said.body, said.headers, signal),
    );
    return answer as Answer<T>;
  }
}
