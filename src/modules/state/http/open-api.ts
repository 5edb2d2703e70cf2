import { applyDecorators } from '@nestjs/common';
import {
  ApiBody,
  ApiConsumes,
  ApiHeader,
  ApiOperation,
  ApiParam,
  ApiQuery,
  ApiResponse,
} from '@nestjs/swagger';
import type { ObjectKind } from '@symphony/model';
import { ref } from './schemas.js';

const TEXT = { type: 'string' };
const VERSION_HEADER = { ETag: { description: 'The version, in quotes.', schema: TEXT } };
const NAMESPACE = ApiQuery({
  name: 'namespace',
  required: false,
  schema: TEXT,
  description: 'Default: `default`.',
});
const PROJECTIONS = [
  ApiQuery({
    name: 'path',
    required: false,
    schema: TEXT,
    description: 'A JSONPath, or `first_embedded`; what it selects is answered, `null` when that is nothing.',
  }),
  ApiQuery({
    name: 'doc-type',
    required: false,
    schema: TEXT,
    description: '`yaml`: YAML as text/plain; anything else is JSON.',
  }),
];

const nameParameter = (kind: ObjectKind) =>
  ApiParam({ name: 'name', schema: TEXT, description: `Name of the ${words(kind)}.` });

function words(kind: ObjectKind): string {
  return kind === 'SolutionContainer' ? 'solution container' : kind.toLowerCase();
}

const PROBLEMS: Readonly<Record<number, string>> = {
  400: 'The input is not valid; `problems` names the fields.',
  404: 'There is no such object.',
  409: 'The object was changed by someone else (`metadata.etag`), or is being deleted.',
  412: '`If-Match` or `If-None-Match` does not hold.',
  422: 'Well-formed, but not supported.',
};

/** The refusals that a route is known for, as problem details. */
export function ApiProblems(...statuses: (keyof typeof PROBLEMS)[]): MethodDecorator {
  const content = { 'application/problem+json': { schema: ref('Problem') } };
  return applyDecorators(
    ...statuses.map((status) => ApiResponse({ status, description: PROBLEMS[status], content })),
  );
}

/** An answer in JSON or, with `doc-type=yaml`, YAML. */
function answer(schema: object): Record<string, { schema: object }> {
  return { 'application/json': { schema }, 'text/plain': { schema: TEXT } };
}

export function ApiGetObject(kind: ObjectKind): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId: `get${kind}`, summary: `One ${words(kind)}` }),
    nameParameter(kind),
    NAMESPACE,
    ...PROJECTIONS,
    ApiHeader({ name: 'If-None-Match', required: false, description: 'An ETag that the client has.' }),
    ApiResponse({
      status: 200,
      description: 'The object.',
      headers: VERSION_HEADER,
      content: answer(ref(`${kind}State`)),
    }),
    ApiResponse({ status: 304, description: 'The client has it.' }),
    ApiProblems(400, 404),
  );
}

export function ApiListObjects(kind: ObjectKind): MethodDecorator {
  const optional = (name: string, description: string, schema: object = TEXT) =>
    ApiQuery({ name, required: false, description, schema });
  return applyDecorators(
    ApiOperation({
      operationId: `list${kind}s`,
      summary: `All ${words(kind)}s, in the order of namespace and name`,
    }),
    optional('namespace', 'Default: all namespaces.'),
    optional('label-selector', 'For example `app=web,tier in (a,b),!old`. `labelSelector` means the same.'),
    optional(
      'field-selector',
      'For example `spec.solution=app-v-1,status.status!=Failed`. `fieldSelector` means the same.',
    ),
    optional('limit', 'Objects of one page. Default: all.', { type: 'integer', minimum: 1, maximum: 1000 }),
    optional('continue', 'The `X-Continue` of the page before.'),
    ...PROJECTIONS,
    ApiResponse({
      status: 200,
      description: 'The objects of the page.',
      headers: {
        'X-Continue': { description: 'Where the next page begins; absent on the last.', schema: TEXT },
        Link: { description: 'The URL of the next page, `rel="next"` (RFC 8288).', schema: TEXT },
      },
      content: answer({ type: 'array', items: ref(`${kind}State`) }),
    }),
    ApiProblems(400),
  );
}

const WRITE_PARAMETERS = [
  NAMESPACE,
  ApiQuery({
    name: 'dryRun',
    required: false,
    schema: { type: 'string', enum: ['true', 'false', 'All'] },
    description: 'Validate and answer with the object, but store nothing.',
  }),
  ApiHeader({ name: 'If-Match', required: false, description: 'The version that the write is based on.' }),
  ApiHeader({
    name: 'Prefer',
    required: false,
    description: '`return=representation`: answer with the object.',
  }),
];

const written = (schema: object) =>
  ApiResponse({
    status: 200,
    description: 'Done. Empty, unless the object was preferred or it was a dry run.',
    headers: VERSION_HEADER,
    content: { 'application/json': { schema } },
  });

interface WriteDocs {
  /** Of the collection's URL, where the body has the name. */
  unnamed?: boolean;
  bodyOptional?: boolean;
}

export function ApiPutObject(kind: ObjectKind, docs: WriteDocs = {}): MethodDecorator {
  const schema = ref(`${kind}Body`);
  return applyDecorators(
    ApiOperation({
      operationId: docs.unnamed ? `create${kind}` : `put${kind}`,
      summary: `Create or replace a ${words(kind)}${docs.unnamed ? ', named in the body' : ''}`,
    }),
    ...(docs.unnamed ? [] : [nameParameter(kind)]),
    ...WRITE_PARAMETERS,
    ApiHeader({ name: 'If-None-Match', required: false, description: '`*`: create, do not replace.' }),
    ApiConsumes('application/json', 'application/yaml'),
    ApiBody({ required: !docs.bodyOptional, schema }),
    written(ref(`${kind}State`)),
    ApiProblems(400, 409, 412),
  );
}

export function ApiDeleteObject(kind: ObjectKind): MethodDecorator {
  const deployable = kind === 'Target' || kind === 'Instance';
  const orphan = ApiQuery({
    name: 'orphan',
    required: false,
    schema: { type: 'boolean' },
    description: 'Administrators: forget the object, leave what it deployed, and answer what that is.',
  });
  return applyDecorators(
    ApiOperation({
      operationId: `delete${kind}`,
      summary: deployable
        ? `Remove what was deployed for a ${words(kind)}, then the ${words(kind)}`
        : `Delete a ${words(kind)}`,
    }),
    nameParameter(kind),
    ...WRITE_PARAMETERS,
    ...(deployable ? [orphan] : []),
    written(deployable ? { oneOf: [ref(`${kind}State`), ref('OrphanResult')] } : ref(`${kind}State`)),
    ApiProblems(404, 412),
  );
}
