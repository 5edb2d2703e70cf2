import { Body, Controller, Delete, Get, Headers, HttpCode, Post, Query, Req } from '@nestjs/common';
import { ApiBody, ApiHeader, ApiOperation, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { InvalidInputError, isPlainObject, type SummaryResult } from '@symphony/model';
import type { FastifyRequest } from 'fastify';
import { principalOf, requireRoute } from '../auth/index.js';
import { flagOf, namespaceOf, type Query as QueryFields } from './query.js';
import { addressesOf, OBJECT_TYPES, subjectOf, typeOf, type QueueSubject } from './queue-subject.js';
import { ACCEPTED_SCHEMA, SUMMARY_RESULT_SCHEMA } from './queue-schemas.js';
import { SolutionQueueService } from './solution-queue.service.js';

/** Symphony's text, spelling included: clients compare it. */
const ACCEPTED = { result: '200 - instance reconcilation job accepted' };

const META_HEADER = 'COA_META_HEADER';
const TEXT = { type: 'string' };
const INSTANCE = {
  name: 'instance',
  required: true,
  schema: TEXT,
  description: 'A name, `name-guid`, or `target-runtime-<target>`.',
};
const NAMESPACE = { name: 'namespace', required: false, schema: TEXT, description: 'Default: `default`.' };
const UNKNOWN = { status: 404, description: 'No such object.' };
const WRONG = { status: 400, description: 'A parameter or the body is wrong; `problems` names it.' };

/** Symphony's queue: orders runs, and tells how the newest run ended. */
@ApiTags('solution')
@Controller('v1alpha2/solution/queue')
export class SolutionQueueController {
  constructor(private readonly queue: SolutionQueueService) {}

  @Get()
  @ApiOperation({ operationId: 'getQueue', summary: 'How the newest run ended, and whether another waits' })
  @ApiQuery(INSTANCE)
  @ApiQuery({
    name: 'name',
    required: false,
    schema: TEXT,
    description: 'Looked up when there is nothing under `instance`.',
  })
  @ApiQuery(NAMESPACE)
  @ApiResponse({ status: 200, description: 'The summary.', schema: SUMMARY_RESULT_SCHEMA })
  @ApiResponse(WRONG)
  @ApiResponse(UNKNOWN)
  get(@Query() query: QueryFields): Promise<SummaryResult> {
    return this.queue.summary(subjectOf(query), query['name'] || undefined);
  }

  @Post()
  @HttpCode(200)
  @ApiOperation({ operationId: 'postQueue', summary: 'Order a run now, a removal, or a posted deployment' })
  @ApiQuery({ ...INSTANCE, required: false, description: `${INSTANCE.description} Not for deployments.` })
  @ApiQuery({ name: 'objectType', required: false, schema: { type: 'string', enum: [...OBJECT_TYPES] } })
  @ApiQuery({
    name: 'target',
    required: false,
    schema: { type: 'boolean' },
    description: 'The same as `objectType=target`.',
  })
  @ApiQuery({
    name: 'delete',
    required: false,
    schema: { type: 'boolean' },
    description: 'Remove what is deployed; the object goes too.',
  })
  @ApiQuery(NAMESPACE)
  @ApiHeader({
    name: 'COA_META_HEADER',
    required: false,
    description: 'JSON; `{"active-target": "t"}` limits a posted deployment to one target.',
  })
  @ApiBody({
    required: false,
    description: "Symphony's DeploymentSpec, with `objectType=deployment`.",
    schema: { type: 'object' },
  })
  @ApiResponse({ status: 200, description: 'Ordered.', schema: ACCEPTED_SCHEMA })
  @ApiResponse(WRONG)
  @ApiResponse(UNKNOWN)
  @ApiResponse({ status: 409, description: 'A stored instance has the name of the posted deployment.' })
  async post(
    @Req() request: FastifyRequest,
    @Query() query: QueryFields,
    @Body() body: unknown,
    @Headers(META_HEADER) meta?: string,
  ): Promise<{ result: string }> {
    const actor = principalOf(request).name;
    const removal = flagOf(query, 'delete');
    if (typeOf(query) === 'deployment') {
      const namespace = query['namespace'] ? namespaceOf(query) : undefined;
      await this.queue.deploy({ body, namespace, removal, actor, activeTarget: activeTargetOf(meta) });
    } else {
      const subject = subjectOf(query);
      if (removal) requireDeletion(request, subject);
      await (removal ? this.queue.remove(subject, actor) : this.queue.reconcile(subject, actor));
    }
    return ACCEPTED;
  }

  @Delete()
  @HttpCode(200)
  @ApiOperation({ operationId: 'deleteQueue', summary: 'Mark the summary as removed' })
  @ApiQuery(INSTANCE)
  @ApiQuery(NAMESPACE)
  @ApiResponse({ status: 200, description: 'Marked.' })
  @ApiResponse(WRONG)
  @ApiResponse(UNKNOWN)
  async delete(@Query() query: QueryFields): Promise<void> {
    await this.queue.forget(subjectOf(query));
  }
}

/** An order to delete needs what DELETE of the object needs: of each object that it may mean. */
function requireDeletion(request: FastifyRequest, subject: QueueSubject): void {
  for (const { kind, name } of addressesOf(subject)) {
    const area = kind === 'Target' ? ['targets', 'registry'] : ['instances'];
    requireRoute(request, 'DELETE', ['v1alpha2', ...area, name]);
  }
}

function activeTargetOf(header: string | undefined): string | undefined {
  if (!header) return undefined;
  try {
    const meta: unknown = JSON.parse(header);
    const target = isPlainObject(meta) ? meta['active-target'] : undefined;
    if (target === undefined || typeof target === 'string') return target || undefined;
  } catch {
    // Reported below like any other header that is not an object of texts.
  }
  const message = 'must be JSON such as {"active-target": "name"}';
  throw new InvalidInputError(`The header COA_META_HEADER ${message}.`, [
    { path: 'COA_META_HEADER', message },
  ]);
}
