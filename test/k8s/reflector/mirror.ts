import { onTestFinished } from 'vitest';
import type { ApiClient } from '../../../src/modes/k8s/client/index.js';
import { Reflector, type Change, type ReflectorOptions } from '../../../src/modes/k8s/reflector/index.js';
import { CONFIG_MAPS, type ConfigMap } from '../client/config-maps.js';

/** A reflector of ConfigMaps of the running test's own, and everything it told, as `+name`, `~name` and `-name`. */
export class Mirror {
  readonly told: string[] = [];
  readonly changes: Change<ConfigMap>[] = [];
  readonly reflector: Reflector<ConfigMap, 'owner'>;

  constructor(client: ApiClient, options: Partial<ReflectorOptions<ConfigMap, 'owner'>> = {}) {
    this.reflector = new Reflector<ConfigMap, 'owner'>({
      client,
      type: CONFIG_MAPS,
      labelSelector: 'mirror=yes',
      indexes: { owner: ({ data }) => (data?.['owner'] === undefined ? [] : [data['owner']]) },
      ...options,
    });
    this.reflector.onChange((change) => {
      const sign = change.before === undefined ? '+' : change.after === undefined ? '-' : '~';
      this.told.push(`${sign}${change.key.name}`);
      this.changes.push(change);
    });
    onTestFinished(() => this.reflector.stop());
    this.reflector.start();
  }

  get names(): string[] {
    return this.reflector
      .list()
      .map(({ metadata }) => metadata.name)
      .sort((a, b) => a.localeCompare(b));
  }
}

export function mirrored(namespace: string, name: string, data: Record<string, string> = {}): ConfigMap {
  return { metadata: { namespace, name, labels: { mirror: 'yes' } }, data };
}
