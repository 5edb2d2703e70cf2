import type { DockerEngine } from './engine/engine.js';
import type { EngineEvent } from './engine/types.js';

/** So many containers that this process removed are remembered, for events that come late. */
const REMEMBERED = 1_000;

/** What this process does to containers by itself: the events about that are no news to it. */
export class OwnDoings {
  readonly #leaving = new Set<string>();
  readonly #names = new Map<string, string>();

  /** Stops or removes a container; when that fails, what happens to it is news again. */
  async leaving<T>(id: string, run: () => Promise<T>): Promise<T> {
    this.#leaving.delete(id);
    this.#leaving.add(id);
    for (const oldest of this.#leaving) {
      if (this.#leaving.size <= REMEMBERED) break;
      this.#leaving.delete(oldest);
    }
    try {
      return await run();
    } catch (error) {
      this.#leaving.delete(id);
      throw error;
    }
  }

  async renaming(id: string, name: string, engine: DockerEngine, signal: AbortSignal): Promise<void> {
    this.#names.set(id, name);
    if (this.#names.size > REMEMBERED) this.#names.clear();
    await engine.rename(id, name, signal);
  }

  /** Whether an event is about something that this process did. */
  caused({ Action: action, Actor: actor }: EngineEvent): boolean {
    const id = actor?.ID ?? '';
    if (this.#leaving.has(id)) {
      if (action === 'destroy') this.#leaving.delete(id);
      return true;
    }
    return action === 'rename' && this.#names.get(id) === actor?.Attributes?.['name'];
  }
}
