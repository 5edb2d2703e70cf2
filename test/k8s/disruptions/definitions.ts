import type { TestCluster } from '../../support/control-plane/cluster.js';
import type { KubernetesObject } from '../../support/control-plane/index.js';

const PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

interface Definition extends KubernetesObject {
  spec: { versions: Version[] };
}

interface Version {
  schema: { openAPIV3Schema: { properties: Record<string, object> } };
  selectableFields?: { jsonPath: string }[];
}

/**
 * Takes all rules about specs out of definitions, as somebody does who wants to get something in at any price.
 * @param names such as `targets.fabric.symphony`
 * @returns what puts them back as they were
 */
export async function loosened(cluster: TestCluster, names: readonly string[]): Promise<() => Promise<void>> {
  const before = await Promise.all(names.map((name) => read(cluster, name)));
  for (const definition of before) await replace(cluster, definition.metadata.name, loose(definition));
  return async () => {
    for (const { metadata, spec } of before) await replace(cluster, metadata.name, spec);
  };
}

function loose({ spec }: Definition): Definition['spec'] {
  const versions = spec.versions.map((version): Version => {
    const { openAPIV3Schema } = version.schema;
    const anything = { nullable: true, 'x-kubernetes-preserve-unknown-fields': true };
    const properties = { ...openAPIV3Schema.properties, spec: anything };
    return {
      ...version,
      schema: { openAPIV3Schema: { type: 'object', properties } as typeof openAPIV3Schema },
      // They need a type.
      selectableFields: (version.selectableFields ?? []).filter(
        ({ jsonPath }) => !jsonPath.startsWith('.spec'),
      ),
    };
  });
  return { ...spec, versions };
}

async function replace(cluster: TestCluster, name: string, spec: Definition['spec']): Promise<void> {
  const current = await read(cluster, name);
  await cluster.api.call('PUT', `${PATH}/${name}`, { ...current, spec });
}

function read(cluster: TestCluster, name: string): Promise<Definition> {
  return cluster.api.call<Definition>('GET', `${PATH}/${name}`);
}
