import { applyDecorators, Controller, Get, HttpCode, Param, Post, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { checkName, checkNamespace, NotFoundError, UnprocessableError } from '@symphony/model';
import type { FastifyReply } from 'fastify';
import { JobStore } from './job-store.js';
import type { LaneKey, LaneView } from './lanes.js';
import { limitOf, wordOf, type Query as QueryFields } from './query.js';
import { LANE_SCHEMA, LANE_STATES } from './queue-schemas.js';

const KINDS = ['Target', 'Instance'] as const;
const DEFAULT_LIMIT = 100;
const MAX_LIMIT = 1000;
const TEXT = { type: 'string' };

function ApiLaneOrder(operationId: string, summary: string): MethodDecorator {
  return applyDecorators(
    ApiOperation({ operationId, summary }),
    ApiParam({ name: 'kind', schema: { type: 'string', enum: [...KINDS] } }),
    ApiParam({ name: 'namespace', schema: TEXT }),
    ApiParam({ name: 'name', schema: TEXT }),
    ApiResponse({ status: 200, description: 'The lane.', schema: LANE_SCHEMA }),
    ApiResponse({ status: 400, description: 'A part of the path is wrong.' }),
    ApiResponse({ status: 404, description: 'There is no such object.' }),
  );
}

/** The lanes of the job manager, for people and dashboards. */
@ApiTags('jobs')
@Controller('v1alpha2/jobs')
export class JobsController {
  constructor(private readonly jobs: JobStore) {}

  @Get()
  @ApiOperation({ operationId: 'listJobs', summary: 'Lanes: what waits, runs, is idle or stalled, and why' })
  @ApiQuery({ name: 'namespace', required: false, schema: TEXT, description: 'Default: all.' })
  @ApiQuery({ name: 'state', required: false, schema: { type: 'string', enum: [...LANE_STATES] } })
  @ApiQuery({ name: 'kind', required: false, schema: { type: 'string', enum: [...KINDS] } })
  @ApiQuery({
    name: 'limit',
    required: false,
    schema: { type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: DEFAULT_LIMIT },
  })
  @ApiQuery({
    name: 'continue',
    required: false,
    schema: TEXT,
    description: 'The X-Continue header of the page before.',
  })
  @ApiResponse({
    status: 200,
    description: 'A page, ordered by kind, namespace, name.',
    headers: { 'X-Continue': { description: 'There is more: the value for `continue`.', schema: TEXT } },
    schema: { type: 'array', items: LANE_SCHEMA },
  })
  @ApiResponse({ status: 400, description: 'A parameter is wrong; `problems` names it.' })
  async list(
    @Query() query: QueryFields,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LaneView[]> {
    const namespace = query['namespace'] || undefined;
    if (namespace) checkNamespace(namespace, 'namespace');
    const { items, next } = await this.jobs.list({
      namespace,
      state: wordOf(query, 'state', LANE_STATES),
      kind: wordOf(query, 'kind', KINDS),
      limit: limitOf(query, DEFAULT_LIMIT, MAX_LIMIT),
      continue: query['continue'] || undefined,
    });
    if (next !== undefined) void reply.header('X-Continue', next);
    return items;
  }

  @Get(':kind/:namespace/:name')
  @ApiOperation({ operationId: 'getJob', summary: 'One lane' })
  @ApiParam({ name: 'kind', schema: { type: 'string', enum: [...KINDS] } })
  @ApiParam({ name: 'namespace', schema: TEXT })
  @ApiParam({ name: 'name', schema: TEXT })
  @ApiResponse({ status: 200, description: 'The lane.', schema: LANE_SCHEMA })
  @ApiResponse({ status: 400, description: 'A part of the path is wrong.' })
  @ApiResponse({ status: 404, description: 'Nothing was ever ordered for such an object.' })
  async get(
    @Param('kind') kindText: string,
    @Param('namespace') namespace: string,
    @Param('name') name: string,
  ): Promise<LaneView> {
    const key = keyOf(kindText, namespace, name);
    const lane = await this.jobs.find(key);
    if (!lane) throw noSuchJob(key);
    return lane;
  }

  @Post(':kind/:namespace/:name/suspend')
  @HttpCode(200)
  @ApiLaneOrder(
    'suspendJob',
    'Hold the runs of an object back until it is resumed; one under way ends as it would',
  )
  suspend(
    @Param('kind') kind: string,
    @Param('namespace') namespace: string,
    @Param('name') name: string,
  ): Promise<LaneView> {
    return this.#setSuspended(keyOf(kind, namespace, name), true);
  }

  @Post(':kind/:namespace/:name/resume')
  @HttpCode(200)
  @ApiLaneOrder(
    'resumeJob',
    'Let the runs of a suspended object go on: what was ordered meanwhile runs at once',
  )
  resume(
    @Param('kind') kind: string,
    @Param('namespace') namespace: string,
    @Param('name') name: string,
  ): Promise<LaneView> {
    return this.#setSuspended(keyOf(kind, namespace, name), false);
  }

  /** Symphony activates workflows here. */
  @Post()
  @ApiOperation({ operationId: 'postJob', summary: 'Activate a workflow: not offered yet' })
  @ApiResponse({ status: 422, description: 'CampaignsNotSupported.' })
  post(): never {
    throw new UnprocessableError(
      'This engine has no campaigns yet, so there is nothing to activate. To order a run of an instance or target, use POST /v1alpha2/solution/queue.',
      'CampaignsNotSupported',
    );
  }

  async #setSuspended(key: LaneKey, suspended: boolean): Promise<LaneView> {
    const lane = (await this.jobs.suspend(key, suspended)) ? await this.jobs.find(key) : undefined;
    if (!lane) throw noSuchJob(key);
    return lane;
  }
}

/** @throws InvalidInputError that names the part of the path */
function keyOf(kindText: string, namespace: string, name: string): LaneKey {
  const kind = wordOf({ kind: kindText }, 'kind', KINDS) ?? 'Instance';
  checkNamespace(namespace, 'namespace');
  checkName(name, 'name');
  return { kind, namespace, name };
}

function noSuchJob({ kind, namespace, name }: LaneKey): NotFoundError {
  return new NotFoundError(`There is no job of the ${kind} ${name} in namespace ${namespace}.`);
}
