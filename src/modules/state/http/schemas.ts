import {
  DeployableStatus,
  InstanceBody,
  InstanceSpec,
  type ModelClass,
  type Schema,
  schemaOf,
  fieldsOf,
  SolutionBody,
  SolutionContainerBody,
  SolutionSpec,
  TargetBody,
  TargetSpec,
} from '@symphony/model';

type SchemaObject = Record<string, unknown>;

const TIME = { type: 'string', format: 'date-time' };
const TEXT = { type: 'string' };
const TEXTS = { type: 'object', additionalProperties: TEXT };

export function ref(name: string): { $ref: string } {
  return { $ref: `#/components/schemas/${name}` };
}

/**
 * Component schemas of the objects, by name, all made from the model classes but for what the engine adds: `…Body` is
 * what is sent, `…State` what is shown.
 */
export function stateSchemas(): Record<string, object> {
  const schemas: Record<string, object> = {};
  for (const type of [TargetBody, SolutionBody, InstanceBody, SolutionContainerBody, DeployableStatus])
    addSchema(schemas, type);
  return {
    ...schemas,
    ObjectMetadata: OBJECT_METADATA,
    TargetState: state(ref(TargetSpec.name), true),
    SolutionState: state(ref(SolutionSpec.name), false),
    InstanceState: state(ref(InstanceSpec.name), true),
    SolutionContainerState: state({ type: 'object' }, false),
    OrphanResult: ORPHAN_RESULT,
    StatusReport: STATUS_REPORT,
  };
}

/** A class under its own name, and whatever it refers to. */
function addSchema(schemas: Record<string, object>, type: ModelClass): void {
  if (schemas[type.name]) return;
  schemas[type.name] = {};
  schemas[type.name] = schemaOf(type, (inner): Schema => ref(inner.name));
  for (const field of fieldsOf(type)) if (field.type) addSchema(schemas, field.type());
}

function state(spec: SchemaObject, hasStatus: boolean): SchemaObject {
  return {
    type: 'object',
    required: ['metadata', 'spec', ...(hasStatus ? ['status'] : [])],
    properties: {
      metadata: ref('ObjectMetadata'),
      spec,
      ...(hasStatus ? { status: ref(DeployableStatus.name) } : {}),
    },
  };
}

const OBJECT_METADATA: SchemaObject = {
  type: 'object',
  required: ['name', 'namespace', 'uid', 'etag', 'generation', 'objGeneraion', 'creationTimestamp'],
  properties: {
    name: TEXT,
    namespace: TEXT,
    uid: TEXT,
    etag: {
      type: 'string',
      description: 'The version; changes with spec, labels, annotations and deletion.',
    },
    generation: {
      type: 'integer',
      description: '+1 on each change of the spec, and when deletion is requested.',
    },
    objGeneraion: { type: 'integer', description: "Symphony's spelling of generation." },
    labels: TEXTS,
    annotations: TEXTS,
    creationTimestamp: TIME,
    deletionTimestamp: { ...TIME, description: 'Deletion was requested; its removal is under way.' },
  },
};

const ORPHAN_RESULT: SchemaObject = {
  type: 'object',
  required: ['object', 'left'],
  properties: {
    object: { type: 'object', description: 'The object as it was.' },
    left: {
      type: 'array',
      items: TEXT,
      description: 'What is still deployed: `<component> on <target> (<provider>)`.',
    },
  },
};

const STATUS_REPORT: SchemaObject = {
  type: 'object',
  properties: {
    status: { type: 'object', properties: { properties: TEXTS } },
    properties: TEXTS,
  },
};
