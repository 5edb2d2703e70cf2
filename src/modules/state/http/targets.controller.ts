import {
  applyDecorators,
  Body,
  Controller,
  Delete,
  Get,
  HttpCode,
  Param,
  Post,
  Put,
  Req,
  Res,
} from '@nestjs/common';
import { ApiBody, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { UnprocessableError } from '@symphony/model';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { ObjectService } from '../object.service.js';
import { ObjectEndpoint } from './object-endpoint.js';
import { ApiDeleteObject, ApiGetObject, ApiListObjects, ApiProblems, ApiPutObject } from './open-api.js';
import { sendChanged, sendJson } from './reply.js';
import { keyOf, type Query, wrongQuery } from './request.js';
import { ref } from './schemas.js';
import { componentReportOf, reportOf } from './status-report.js';

const NAME = ApiParam({ name: 'name', schema: { type: 'string' }, description: 'Name of the target.' });
const NAMESPACE = ApiQuery({ name: 'namespace', required: false, schema: { type: 'string' } });

function ApiReport(operationId: string, summary: string): MethodDecorator {
  return applyDecorators(
    ApiOperation({
      operationId,
      summary,
      description:
        'Merges string properties into the status, from the body and from the query (every parameter but namespace).',
    }),
    NAME,
    NAMESPACE,
    ApiBody({ required: false, schema: ref('StatusReport') }),
    ApiResponse({ status: 200, description: 'The whole target.', schema: ref('TargetState') }),
    ApiProblems(400, 404, 422),
  );
}

@ApiTags('targets')
@Controller('v1alpha2/targets')
export class TargetsController {
  constructor(
    private readonly endpoint: ObjectEndpoint,
    private readonly objects: ObjectService,
  ) {}

  @Get('registry')
  @ApiListObjects('Target')
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.endpoint.list('Target', request, reply);
  }

  @Get('registry/:name')
  @ApiGetObject('Target')
  async get(
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.endpoint.get('Target', name, request, reply);
  }

  @Post('registry')
  @HttpCode(200)
  @ApiPutObject('Target', { unnamed: true })
  async create(
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    refuseBinding(request.query as Query);
    await this.endpoint.put('Target', undefined, body, request, reply);
  }

  @Post('registry/:name')
  @HttpCode(200)
  @ApiPutObject('Target')
  async put(
    @Param('name') name: string,
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    refuseBinding(request.query as Query);
    await this.endpoint.put('Target', name, body, request, reply);
  }

  @Delete('registry/:name')
  @ApiDeleteObject('Target')
  async remove(
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.endpoint.removeDeployable('Target', name, request, reply);
  }

  @Put('status/:name')
  @ApiReport('reportTarget', 'Report properties of a target')
  async report(
    @Param('name') name: string,
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const query = request.query as Query;
    const target = await this.objects.report(keyOf('Target', name, query), reportOf(body, query));
    void sendChanged(reply, target);
  }

  @Put('status/:name/:component')
  @ApiParam({
    name: 'component',
    schema: { type: 'string' },
    description: 'Name of a component of the target.',
  })
  @ApiReport(
    'reportTargetComponent',
    'Report the outcome of a component that is pending (`report.state` and others), or properties of the target',
  )
  async reportComponent(
    @Param('name') name: string,
    @Param('component') component: string,
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const query = request.query as Query;
    const { properties, report } = componentReportOf(component, reportOf(body, query));
    const target = await this.objects.report(keyOf('Target', name, query), properties, report);
    void sendChanged(reply, target);
  }

  @Post('ping/:name')
  @HttpCode(200)
  @ApiOperation({ operationId: 'pingTarget', summary: 'Say that a target is alive: sets lastModified' })
  @NAME
  @NAMESPACE
  @ApiResponse({ status: 200, description: 'Noted.', schema: { type: 'object' } })
  @ApiProblems(404)
  async ping(
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.objects.report(keyOf('Target', name, request.query as Query), {});
    void sendJson(reply, {});
  }

  @Get('download/:docType/:name')
  @ApiOperation({ operationId: 'downloadTarget', summary: 'One target as a document' })
  @ApiParam({ name: 'docType', schema: { type: 'string' }, description: '`yaml`; anything else is JSON.' })
  @NAME
  @NAMESPACE
  @ApiQuery({ name: 'path', required: false, schema: { type: 'string' } })
  @ApiResponse({
    status: 200,
    description: 'The target, or what the path selects of it.',
    content: {
      'application/json': { schema: ref('TargetState') },
      'text/plain': { schema: { type: 'string' } },
    },
  })
  @ApiProblems(404)
  async download(
    @Param('docType') docType: string,
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const { path } = request.query as Query;
    await this.endpoint.get('Target', name, request, reply, { path, docType });
  }
}

/** Symphony adds a binding to its staging provider, for agents that poll; neither exists here. */
function refuseBinding(query: Query): void {
  const binding = query['with-binding'];
  if (!binding) return;
  if (binding !== 'staging') throw wrongQuery('with-binding', 'is not known; leave it out');
  throw new UnprocessableError(
    'with-binding=staging is not supported: this engine has no staging provider. Leave it out, and name a provider in spec.topologies[].bindings.',
    'StagingNotSupported',
  );
}
