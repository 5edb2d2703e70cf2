import {
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
const WHOLE = { type: 'integer' };
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
  for (const body of [TargetBody, SolutionBody, InstanceBody, SolutionContainerBody])
    addSchema(schemas, body);
  return {
    ...schemas,
    ObjectMetadata: OBJECT_METADATA,
    DeployableStatus: DEPLOYABLE_STATUS,
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
      ...(hasStatus ? { status: ref('DeployableStatus') } : {}),
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

const COMPONENT_ERROR = {
  type: 'object',
  properties: { code: TEXT, message: TEXT, target: TEXT },
};

const DEPLOYABLE_STATUS: SchemaObject = {
  type: 'object',
  description: 'What is so, as of the last run; empty before the first one.',
  properties: {
    status: { type: 'string', enum: ['Reconciling', 'Deleting', 'Succeeded', 'Failed'] },
    statusDetails: TEXT,
    reason: { type: 'string', description: 'A stable code.' },
    observedGeneration: { type: 'integer', description: 'The generation that the status speaks of.' },
    lastModified: TIME,
    deployed: WHOLE,
    targets: WHOLE,
    runningJobId: WHOLE,
    provisioningStatus: {
      type: 'object',
      properties: {
        operationId: TEXT,
        status: TEXT,
        percentComplete: WHOLE,
        failureCause: TEXT,
        error: {
          type: 'object',
          properties: {
            code: TEXT,
            message: TEXT,
            target: TEXT,
            details: {
              type: 'array',
              items: {
                type: 'object',
                properties: {
                  ...COMPONENT_ERROR.properties,
                  details: { type: 'array', items: COMPONENT_ERROR },
                },
              },
            },
          },
        },
      },
    },
    targetStatuses: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          name: TEXT,
          status: TEXT,
          message: TEXT,
          componentStatuses: {
            type: 'array',
            items: { type: 'object', properties: { name: TEXT, status: TEXT, message: TEXT } },
          },
        },
      },
    },
    conditions: {
      type: 'array',
      items: {
        type: 'object',
        properties: {
          type: { type: 'string', enum: ['Ready', 'Reconciling', 'Stalled'] },
          status: { type: 'string', enum: ['True', 'False', 'Unknown'] },
          reason: TEXT,
          message: TEXT,
          observedGeneration: WHOLE,
          lastTransitionTime: TIME,
        },
      },
    },
    properties: { ...TEXTS, description: 'What people and agents reported with PUT targets/status.' },
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
