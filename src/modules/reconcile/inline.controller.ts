import { Body, Controller, Delete, Get, Headers, HttpCode, Post, Query, Req, Res } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { InvalidInputError, isPlainObject, type ComponentSpec, type SummarySpec } from '@symphony/model';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { principalOf } from '../auth/index.js';
import { InlineService } from './inline.service.js';

const NAMESPACE = { name: 'namespace', required: false };
const BODY = { description: "Symphony's DeploymentSpec", schema: { type: 'object' } };
const META_HEADER = 'COA_META_HEADER';
const META = {
  name: META_HEADER,
  required: false,
  description: 'JSON; `{"active-target": "t"}` limits the run to one target',
};
const DONE = { status: 200, description: 'The SummarySpec of the run' };
const FAILED = { status: 500, description: 'The SummarySpec of a run that did not reach the desired state' };

/** Deployments that are posted whole instead of being declared; the proxy provider of another Symphony speaks this. */
@ApiTags('solution')
@Controller('v1alpha2/solution')
export class InlineController {
  constructor(private readonly inline: InlineService) {}

  @Post('reconcile')
  @HttpCode(200)
  @ApiOperation({ summary: 'Reconciles a posted deployment and waits for the outcome' })
  @ApiQuery(NAMESPACE)
  @ApiQuery({ name: 'delete', required: false, description: '`true`: remove what was deployed' })
  @ApiHeader(META)
  @ApiBody(BODY)
  @ApiResponse(DONE)
  @ApiResponse(FAILED)
  reconcile(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body() body: unknown,
    @Query('namespace') namespace?: string,
    @Query('delete') remove?: string,
    @Headers(META_HEADER) meta?: string,
  ): Promise<SummarySpec> {
    return this.#run(request, reply, body, namespace, remove === 'true', meta);
  }

  @Post('reconcile/:delete')
  @HttpCode(200)
  @ApiOperation({ summary: 'The same: Symphony takes a last segment and ignores it' })
  @ApiParam({ name: 'delete', description: 'Ignored; use the query' })
  @ApiQuery(NAMESPACE)
  @ApiQuery({ name: 'delete', required: false, description: '`true`: remove what was deployed' })
  @ApiHeader(META)
  @ApiBody(BODY)
  @ApiResponse(DONE)
  @ApiResponse(FAILED)
  reconcileWithSegment(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body() body: unknown,
    @Query('namespace') namespace?: string,
    @Query('delete') remove?: string,
    @Headers(META_HEADER) meta?: string,
  ): Promise<SummarySpec> {
    return this.#run(request, reply, body, namespace, remove === 'true', meta);
  }

  @Post('instances')
  @HttpCode(200)
  @ApiOperation({ summary: 'Deploys a posted deployment and waits for the outcome' })
  @ApiQuery(NAMESPACE)
  @ApiHeader(META)
  @ApiBody(BODY)
  @ApiResponse(DONE)
  @ApiResponse(FAILED)
  deploy(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body() body: unknown,
    @Query('namespace') namespace?: string,
    @Headers(META_HEADER) meta?: string,
  ): Promise<SummarySpec> {
    return this.#run(request, reply, body, namespace, false, meta);
  }

  @Delete('instances')
  @ApiOperation({ summary: 'Removes what was deployed under the name of a posted deployment' })
  @ApiQuery(NAMESPACE)
  @ApiHeader(META)
  @ApiBody(BODY)
  @ApiResponse(DONE)
  @ApiResponse(FAILED)
  remove(
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Body() body: unknown,
    @Query('namespace') namespace?: string,
    @Headers(META_HEADER) meta?: string,
  ): Promise<SummarySpec> {
    return this.#run(request, reply, body, namespace, true, meta);
  }

  @Get('instances')
  @ApiOperation({ summary: 'What the providers report for the deployment in the body' })
  @ApiQuery(NAMESPACE)
  @ApiHeader(META)
  @ApiResponse({ status: 200, description: 'ComponentSpec[]' })
  observe(
    @Req() request: FastifyRequest,
    @Body() body: unknown,
    @Query('namespace') namespace?: string,
    @Headers(META_HEADER) meta?: string,
  ): Promise<ComponentSpec[]> {
    return this.inline.observe({
      body,
      namespace,
      removal: false,
      activeTarget: activeTarget(meta),
      actor: principalOf(request).name,
    });
  }

  async #run(
    request: FastifyRequest,
    reply: FastifyReply,
    body: unknown,
    namespace: string | undefined,
    removal: boolean,
    meta: string | undefined,
  ): Promise<SummarySpec> {
    const actor = principalOf(request).name;
    const summary = await this.inline.reconcile({
      body,
      namespace,
      removal,
      activeTarget: activeTarget(meta),
      actor,
      gone: whenGone(reply),
    });
    // The one error that does not answer with problem details: Symphony's clients read the summary.
    if (!summary.allAssignedDeployed) void reply.status(500);
    return summary;
  }
}

/** Aborted when the connection ends, answered or not. */
function whenGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once('close', () => gone.abort());
  return gone.signal;
}

/** Symphony's request metadata: a map of strings as JSON. */
function activeTarget(header: string | undefined): string | undefined {
  if (header === undefined || header === '') return undefined;
  let meta: unknown;
  try {
    meta = JSON.parse(header);
  } catch {
    meta = undefined;
  }
  if (!isPlainObject(meta)) {
    throw new InvalidInputError('The header COA_META_HEADER must be a JSON object of strings.', [
      { path: 'COA_META_HEADER', message: 'must be a JSON object of strings' },
    ]);
  }
  const target = meta['active-target'];
  return typeof target === 'string' && target !== '' ? target : undefined;
}
