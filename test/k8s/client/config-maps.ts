import type { KubeObject, ResourceType } from '../../../src/modes/k8s/client/index.js';

export interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

/** Objects without behaviour: what tests of the client write and watch. */
export const CONFIG_MAPS: ResourceType<ConfigMap> = {
  group: '',
  version: 'v1',
  plural: 'configmaps',
  kind: 'ConfigMap',
  namespaced: true,
};
