import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { LedgerEntry } from '@symphony/model';
import { describe, expect, expectTypeOf, it } from 'vitest';
import {
  crdFiles,
  customResourceDefinition,
  CUSTOM_RESOURCES,
  INSTANCES,
  LEDGERS,
  type LedgerRow,
  SOLUTIONS,
  TARGETS,
  type CustomResource,
} from '../../src/modes/k8s/crds/index.js';

const ROOT = join(import.meta.dirname, '../..');

const RULES = 'x-kubernetes-validations';
const EPOCH_RULE = '!has(oldSelf.epoch) || !has(self.epoch) || self.epoch >= oldSelf.epoch';

type Json = null | string | number | boolean | Json[] | { [key: string]: Json };

interface Definition {
  metadata: { name: string; annotations: Record<string, string> };
  spec: {
    names: { shortNames: string[]; categories: string[] };
    versions: {
      name: string;
      subresources?: object;
      selectableFields?: { jsonPath: string }[];
      additionalPrinterColumns: { name: string }[];
      schema: { openAPIV3Schema: Json };
    }[];
  };
}

const definitionOf = (resource: CustomResource): Definition =>
  JSON.parse(JSON.stringify(customResourceDefinition(resource))) as Definition;
const versionOf = (resource: CustomResource): Definition['spec']['versions'][0] => {
  const [version] = definitionOf(resource).spec.versions;
  if (!version) throw new Error('has no version');
  return version;
};

/** Every schema in a schema, with its path. */
function* schemasIn(json: Json, path = ''): Generator<[string, Record<string, Json>]> {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return;
  yield [path, json];
  const { properties, items, additionalProperties } = json;
  if (typeof properties === 'object' && properties !== null && !Array.isArray(properties))
    for (const [name, inner] of Object.entries(properties)) yield* schemasIn(inner, `${path}.${name}`);
  for (const inner of [items, additionalProperties])
    if (inner !== undefined) yield* schemasIn(inner, `${path}[]`);
}

const at = (resource: CustomResource, path: string): Record<string, Json> => {
  const found = [...schemasIn(versionOf(resource).schema.openAPIV3Schema)].find(([where]) => where === path);
  if (!found) throw new Error(`${resource.kind} has no ${path}`);
  return found[1];
};

describe('the files', () => {
  it.each(crdFiles())('$path is what the model says; `npm run crds` writes it', ({ path, text }) => {
    expect(readFileSync(join(ROOT, path), 'utf8')).toBe(text);
  });

  it('fit into what `kubectl apply` keeps in an annotation', () => {
    for (const resource of CUSTOM_RESOURCES)
      expect(JSON.stringify(customResourceDefinition(resource)).length).toBeLessThan(200 * 1024);
  });
});

describe.each(CUSTOM_RESOURCES)('$plural.$group', (resource) => {
  const version = versionOf(resource);
  const schemas = [...schemasIn(version.schema.openAPIV3Schema)];

  it('is v1, with short names, a category and columns; deleting the chart keeps it', () => {
    const { metadata, spec } = definitionOf(resource);
    expect(metadata.name).toBe(`${resource.plural}.${resource.group}`);
    expect(metadata.annotations['helm.sh/resource-policy']).toBe('keep');
    expect(spec.names.shortNames).toHaveLength(1);
    expect(spec.names.categories).toHaveLength(1);
    expect(version.name).toBe('v1');
    expect(version.additionalPrinterColumns.map(({ name }) => name)).toContain('Age');
    expect(version.selectableFields?.length ?? 0).toBeLessThanOrEqual(8);
  });

  it('refers to nothing, refuses nothing by additionalProperties, and chooses between no types', () => {
    for (const [path, schema] of schemas) {
      expect(Object.keys(schema), path).not.toContain('$ref');
      expect(Object.keys(schema), path).not.toContain('oneOf');
      expect(typeof schema['additionalProperties'], path).not.toBe('boolean');
    }
  });

  it('everything has a type, but for what is kept as it was sent', () => {
    for (const [path, schema] of schemas)
      if (schema['x-kubernetes-preserve-unknown-fields'] !== true)
        expect(schema['type'], path).toEqual(expect.any(String));
  });

  it('texts, lists and maps of the spec have a bound', () => {
    for (const [path, schema] of schemas) {
      if (!path.startsWith('.spec.') || path.endsWith('[]')) continue;
      const bounds = ['enum', 'maxLength', 'maxItems', 'maxProperties', 'format'];
      if (schema['type'] === 'string' || schema['type'] === 'array' || schema['additionalProperties'])
        expect(
          bounds.some((bound) => bound in schema),
          path,
        ).toBe(true);
    }
  });

  it('what its columns and selectors name is there', () => {
    const paths = schemas.map(([path]) => path);
    for (const jsonPath of [...resource.selectable, ...resource.columns.map((column) => column.jsonPath)])
      if (!jsonPath.startsWith('.metadata')) expect(paths).toContain(jsonPath);
  });

  it('its status refuses no value for its meaning', () => {
    for (const [path, schema] of schemas)
      if (path.startsWith('.status'))
        for (const bound of ['enum', 'maxLength', 'pattern', 'maxItems'])
          expect(Object.keys(schema), path).not.toContain(bound);
    // A former leader is refused, and nobody else: not for what it says, but for what is stored.
    const rules = schemas.flatMap(([path, schema]) =>
      path.startsWith('.status') && RULES in schema ? [schema[RULES]] : [],
    );
    const fenced = resource === TARGETS || resource === INSTANCES;
    expect(rules).toEqual(
      fenced ? [[expect.objectContaining({ rule: EPOCH_RULE, fieldPath: '.epoch' })]] : [],
    );
  });
});

describe('what the API server is to check', () => {
  it.each([
    [TARGETS, '.spec.components'],
    [SOLUTIONS, '.spec.components'],
  ])('components are told apart by their names', (resource, path) => {
    expect(at(resource, path)).toMatchObject({
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['name'],
    });
  });

  it.each([
    [TARGETS, '.spec.components[].properties'],
    [SOLUTIONS, '.spec.components[].properties'],
    [SOLUTIONS, '.spec.components[].sidecars[].properties'],
  ])('the properties of a component or sidecar may be anything', (resource, path) => {
    const schema = at(resource, path);
    expect(schema['x-kubernetes-preserve-unknown-fields']).toBe(true);
    expect(schema).not.toHaveProperty('type');
  });

  it('scope, dry run and targets of an instance', () => {
    const rules = at(INSTANCES, '.spec')['x-kubernetes-validations'] as { fieldPath: string }[];
    expect(rules.map(({ fieldPath }) => fieldPath)).toEqual(['.scope', '.isDryRun', '.target']);
  });

  it('a ledger takes no write of a leader that was deposed', () => {
    expect(at(LEDGERS, '.spec')['x-kubernetes-validations']).toEqual([
      expect.objectContaining({ rule: 'self.epoch >= oldSelf.epoch' }),
    ]);
  });

  it('a ledger keeps every field of its entries', () => {
    type OfTheWhole = 'owner' | 'targetUid' | 'targetName' | 'knownAs';
    expectTypeOf<Exclude<keyof LedgerRow, 'key'>>().toEqualTypeOf<Exclude<keyof LedgerEntry, OfTheWhole>>();
  });

  it('status is a resource of its own where people write the rest', () => {
    for (const resource of CUSTOM_RESOURCES)
      expect(versionOf(resource).subresources).toEqual(resource.status ? { status: {} } : undefined);
  });

  it('the one constant default is in the schema', () => {
    expect(at(INSTANCES, '.spec.reconciliationPolicy.state')['default']).toBe('active');
    expect(at(TARGETS, '.spec')['default']).toEqual({});
  });
});
