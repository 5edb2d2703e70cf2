import type { ApiClient } from './api-client.js';
import { apiVersionOf, type KubeObject, type ObjectRef, type ResourceType } from './kube-object.js';

interface Reading {
  running: Promise<KubeObject>;
  /** For those who asked while it ran. */
  next: Promise<KubeObject> | undefined;
}

/**
 * Live reads that are shared: whoever asks gets an answer of a request that began after they asked, so never anything older than
 * a read of their own would show, but those who wait for the same object at the same time wait for one request together. A
 * thousand runs that begin together read their solution a few dozen times.
 *
 * What it answers is shared, too: nobody may change it.
 */
export class SharedReads {
  readonly #readings = new Map<string, Reading>();

  constructor(private readonly client: Pick<ApiClient, 'get'>) {}

  /** As {@link ApiClient.get}. @throws NotFoundError */
  get<T extends KubeObject>(type: ResourceType<T>, ref: ObjectRef): Promise<T> {
    const key = `${apiVersionOf(type)}/${type.plural}/${ref.namespace ?? ''}/${ref.name}`;
    const read = (): Promise<T> => this.#begin(key, type, ref);
    const reading = this.#readings.get(key);
    if (!reading) return read();
    reading.next ??= reading.running.then(read, read);
    // The key names the type.
    return reading.next as Promise<T>;
  }

  #begin<T extends KubeObject>(key: string, type: ResourceType<T>, ref: ObjectRef): Promise<T> {
    const running = this.client.get(type, ref);
    const reading: Reading = { running, next: undefined };
    this.#readings.set(key, reading);
    const ended = (): void => {
      // What was asked for meanwhile begins by itself and takes its place.
      if (!reading.next && this.#readings.get(key) === reading) this.#readings.delete(key);
    };
    running.then(ended, ended);
    return running;
  }
}
