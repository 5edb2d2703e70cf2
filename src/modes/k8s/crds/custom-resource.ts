import type { FieldRule, ModelClass } from '@symphony/model';
import {
  ANYTHING,
  celRule,
  structuralSchemaOf,
  type CelRule,
  type StructuralSchema,
} from './structural-schema.js';

/** A column of `kubectl get`. `wide`: with `-o wide` only. */
export interface Column {
  name: string;
  type: 'string' | 'integer' | 'date';
  jsonPath: string;
  description: string;
  wide?: true;
}

/** All that is to be said of one of our kinds; `customResourceDefinition` turns it into what Kubernetes reads. */
export interface CustomResource {
  group: string;
  kind: string;
  plural: string;
  shortNames: readonly string[];
  category: string;
  /** A sentence, for `kubectl explain`. */
  description: string;
  /** Undefined: anything, stored as it is. */
  spec?: ModelClass;
  /** `required`, or left out, which then means `{}`. */
  specPresence: 'required' | 'defaulted' | 'optional';
  status?: ModelClass;
  /** Rules over the whole object, of whose metadata only the name can be read; asked when it is created, and never again. */
  creationRules?: readonly FieldRule[];
  columns: readonly Column[];
  /** What `--field-selector` can ask for; at most eight. */
  selectable: readonly string[];
}

const API_VERSION = 'v1';

export interface CustomResourceDefinition {
  apiVersion: 'apiextensions.k8s.io/v1';
  kind: 'CustomResourceDefinition';
  metadata: { name: string; labels: Record<string, string>; annotations: Record<string, string> };
  spec: object;
}

export function customResourceDefinition(resource: CustomResource): CustomResourceDefinition {
  const { group, kind, plural } = resource;
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: {
      name: `${plural}.${group}`,
      labels: { 'app.kubernetes.io/part-of': 'symphony' },
      // Deleting a definition deletes all objects of its kind: uninstalling the chart must not.
      annotations: { 'helm.sh/resource-policy': 'keep' },
    },
    spec: {
      group,
      scope: 'Namespaced',
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames: resource.shortNames,
        categories: [resource.category],
      },
      versions: [
        {
          name: API_VERSION,
          served: true,
          storage: true,
          schema: { openAPIV3Schema: schemaOfObject(resource) },
          ...(resource.status ? { subresources: { status: {} } } : {}),
          ...(resource.selectable.length > 0
            ? { selectableFields: resource.selectable.map((jsonPath) => ({ jsonPath })) }
            : {}),
          additionalPrinterColumns: resource.columns.map(({ wide, ...column }) => ({
            ...column,
            ...(wide ? { priority: 1 } : {}),
          })),
        },
      ],
    },
  };
}

function schemaOfObject(resource: CustomResource): StructuralSchema {
  const { spec, status, specPresence, creationRules = [] } = resource;
  const validations = creationRules.map((rule) => onCreationOnly(celRule(rule)));
  return {
    type: 'object',
    description: resource.description,
    properties: {
      apiVersion: { type: 'string' },
      kind: { type: 'string' },
      metadata: { type: 'object' },
      spec: {
        description: 'What is wanted.',
        ...(spec ? structuralSchemaOf(spec) : ANYTHING),
        ...(specPresence === 'defaulted' ? { default: {} } : {}),
      },
      ...(status
        ? {
            status: {
              description: 'What is so, as of the last run.',
              ...structuralSchemaOf(status, 'tolerant'),
            },
          }
        : {}),
    },
    ...(specPresence === 'required' ? { required: ['spec'] } : {}),
    ...(validations.length > 0 ? { 'x-kubernetes-validations': validations } : {}),
  };
}

/** An object that another engine let in must stay writable: its status and finalizers are written, and its deletion is asked. */
function onCreationOnly({ rule, ...rest }: CelRule): CelRule {
  return { rule: `oldSelf.hasValue() || (${rule})`, ...rest, optionalOldSelf: true };
}
