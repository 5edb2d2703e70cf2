import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, type OpenAPIObject, SwaggerModule } from '@nestjs/swagger';

/** Where the browsable page is. */
export const DOCS_PATH = 'docs';
const DOCUMENT_PATH = 'openapi.json';

const PROBLEM_SCHEMA = {
  type: 'object',
  description: 'Problem details (RFC 9457).',
  required: ['type', 'title', 'status', 'detail', 'code', 'instance', 'problems'],
  properties: {
    type: { type: 'string', description: '`urn:symphony:error:` and the code.' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string', description: 'What happened and what to do.' },
    code: { type: 'string', description: 'Stable; what programs look at.' },
    instance: { type: 'string', description: '`urn:uuid:` and the request id, which the log has as well.' },
    problems: {
      type: 'array',
      items: {
        type: 'object',
        required: ['path', 'message'],
        properties: { path: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
};

interface OpenApiOptions {
  version: string;
  /** Component schemas beside those that the code declares, by name: plain OpenAPI 3.0 schema objects. */
  extraSchemas?: Readonly<Record<string, object>>;
}

/** The OpenAPI document of all routes of the application, made from the code. The application must be initialised. */
export function createOpenApiDocument(app: NestFastifyApplication, options: OpenApiOptions): OpenAPIObject {
  const outline = new DocumentBuilder()
    .setTitle('Symphony')
    .setDescription('Declare targets, solutions and instances; the engine deploys, heals and removes.')
    .setVersion(options.version)
    .setLicense('MIT', 'https://opensource.org/license/mit')
    .addServer('/')
    .addBearerAuth({ type: 'http', scheme: 'bearer', bearerFormat: 'JWT' }, 'bearer')
    .addSecurityRequirements('bearer')
    .build();
  const document = SwaggerModule.createDocument(app, outline);
  document.components ??= {};
  document.components.schemas = {
    ...document.components.schemas,
    ...options.extraSchemas,
    Problem: PROBLEM_SCHEMA,
  };
  addErrorResponses(document);
  return document;
}

const METHODS = ['get', 'put', 'post', 'delete', 'patch'] as const;

/** Every operation may answer with a problem, whatever it declares itself. */
function addErrorResponses(document: OpenAPIObject): void {
  const response = {
    description: 'A problem.',
    content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
  };
  for (const path of Object.values(document.paths)) {
    for (const method of METHODS) {
      const operation = path[method];
      if (operation && !operation.responses.default) operation.responses.default = response;
    }
  }
}

/** Serves the document and its page, both without a token and without anything from elsewhere. */
export function setupOpenApi(app: NestFastifyApplication, options: OpenApiOptions): void {
  let document: OpenAPIObject | undefined;
  // Made when first asked for: the start does not wait for it, and all routes are known by then.
  SwaggerModule.setup(DOCS_PATH, app, () => (document ??= createOpenApiDocument(app, options)), {
    jsonDocumentUrl: DOCUMENT_PATH,
    raw: ['json'],
    customSiteTitle: 'Symphony API',
    swaggerOptions: { validatorUrl: null, persistAuthorization: false },
  });
}
