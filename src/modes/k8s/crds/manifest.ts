import { stringify } from 'yaml';
import { customResourceDefinition, type CustomResource } from './custom-resource.js';
import { CUSTOM_RESOURCES } from './resources.js';

const HEADER = '# Made from the classes of libs/model by `npm run crds`; do not edit.\n';

/** A generated file: its path below the root of the project, and its text. */
interface GeneratedFile {
  path: string;
  text: string;
}

/** All definitions: one file each for the chart, and together for those who use no chart. */
export function crdFiles(): GeneratedFile[] {
  const single = CUSTOM_RESOURCES.map((resource) => ({
    path: `charts/symphony/files/crds/${resource.plural}.${resource.group}.yaml`,
    text: HEADER + yamlOf(resource),
  }));
  const together = HEADER + CUSTOM_RESOURCES.map(yamlOf).join('---\n');
  return [...single, { path: 'deploy/crds.yaml', text: together }];
}

function yamlOf(resource: CustomResource): string {
  // Kinds share parts; anchors would make the file hard to read, and some tools refuse them.
  return stringify(customResourceDefinition(resource), { lineWidth: 0, aliasDuplicateObjects: false });
}
