import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { instance, manifest, target } from '../../support/kubernetes-flow.js';
import { POLL, type Scene } from './scene.js';

/** Between two changes. Milliseconds. */
const PACE_MS = 150;

/** Somebody who changes instances all the time, whoever is there to answer. */
export class Changes {
  readonly #ending = new AbortController();
  /** The generation that the newest change of each instance made. */
  readonly #newest = new Map<string, number>();
  #made = 0;
  #refused = 0;
  #done: Promise<void> = Promise.resolve();

  private constructor(
    private readonly scene: Scene,
    readonly names: readonly string[],
  ) {}

  /** Declares so many instances, on one target, and begins to change them. */
  static async begin(scene: Scene, prefix: string, count = 4): Promise<Changes> {
    const names = Array.from({ length: count }, (_, n) => `${prefix}-${n}`);
    const components = [{ name: 'c', properties: { turn: '${{$param(turn)}}' }, parameters: { turn: '0' } }];
    await scene.me.apply(
      target(prefix, scene.world),
      manifest('solutions', prefix, { components }),
      ...names.map((name) => instance(name, { solution: prefix, target: { name: prefix } })),
    );
    await scene.me.ready(...names.map((name) => `instance/${name}`));
    const changes = new Changes(scene, names);
    changes.#done = changes.#run();
    return changes;
  }

  /** Changes that were accepted, and those that were not. */
  get figures(): { made: number; refused: number } {
    return { made: this.#made, refused: this.#refused };
  }

  /** Resolves when so many more changes were accepted, and so many were carried out after that. */
  async goOn(changes = 8): Promise<void> {
    const enough = this.#made + changes;
    await expect.poll(() => this.#made, POLL).toBeGreaterThanOrEqual(enough);
    const applied = await this.scene.world.applied();
    await expect.poll(() => this.scene.world.applied(), POLL).toBeGreaterThan(applied + 2);
  }

  /** Ends, and waits until each instance is as it was last declared. */
  async endAndConverge(): Promise<void> {
    this.#ending.abort();
    await this.#done;
    for (const name of this.names) {
      const newest = this.#newest.get(name) ?? 0;
      await this.scene.me.until('instances', name, (object) => {
        const { observedGeneration = 0, status } = object?.status ?? {};
        return (
          observedGeneration >= newest &&
          observedGeneration === object?.metadata.generation &&
          status === 'Succeeded'
        );
      });
      expect([name, await this.scene.isThere(name), await this.scene.calls(name, 'remove')]).toEqual([
        name,
        true,
        0,
      ]);
    }
  }

  async #run(): Promise<void> {
    const { signal } = this.#ending;
    for (let turn = 1; !signal.aborted; turn++) {
      const name = this.names[turn % this.names.length] ?? '';
      const path = `/apis/solution.symphony/v1/namespaces/${this.scene.me.namespace}/instances/${name}`;
      try {
        const spec = { parameters: { turn: String(turn) } };
        const { metadata } = await this.scene.cluster.api.call('PATCH', path, { spec });
        this.#newest.set(name, metadata.generation ?? 0);
        this.#made++;
      } catch {
        this.#refused++;
      }
      await delay(PACE_MS, undefined, { signal }).catch(() => undefined);
    }
  }
}
