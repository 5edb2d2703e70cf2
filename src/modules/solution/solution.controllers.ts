import { Controller, Get, Inject, Param, Query, Res } from '@nestjs/common';
import { ApiOperation, ApiParam, ApiQuery, ApiResponse, ApiTags } from '@nestjs/swagger';
import { DEFAULT_NAMESPACE, InvalidInputError, NotFoundError, type DeployableKind } from '@symphony/model';
import type { FastifyReply } from 'fastify';
import { Explainer, type Explanation } from './explain.js';
import { RunHistory } from './run-history.js';
import type { RunRecord } from '../queue/index.js';
import { ObjectStore } from '../state/index.js';

const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 200;

function limitOf(text: string | undefined): number {
  if (text === undefined || text === '') return DEFAULT_LIMIT;
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIMIT) return limit;
  throw new InvalidInputError(`limit must be a whole number from 1 to ${MAX_LIMIT}.`, [
    { path: 'limit', message: `must be a whole number from 1 to ${MAX_LIMIT}` },
  ]);
}

const PLAN = { summary: 'What a reconcile would do now; touches nothing' };
const PLAN_OK = {
  status: 200,
  description: 'Per target and component: create, update, delete or keep, why, and the diff',
};
const RUNS = { summary: 'Runs, newest first: plan, outcomes, reasons, timing, who' };
const NAMESPACE = { name: 'namespace', required: false };

/** Plan, and history of runs; the same for instances and for the own components of targets. */
abstract class RunsController {
  protected abstract readonly kind: DeployableKind;

  constructor(
    @Inject(Explainer) private readonly explainer: Explainer,
    @Inject(ObjectStore) private readonly objects: ObjectStore,
    @Inject(RunHistory) private readonly history: RunHistory,
  ) {}

  @Get(':name/plan')
  @ApiOperation(PLAN)
  @ApiParam({ name: 'name' })
  @ApiQuery(NAMESPACE)
  @ApiResponse(PLAN_OK)
  getPlan(
    @Param('name') name: string,
    @Query('namespace') namespace: string | undefined,
  ): Promise<Explanation> {
    return this.explainer.explain({ kind: this.kind, namespace: namespace || DEFAULT_NAMESPACE, name });
  }

  @Get(':name/runs')
  @ApiOperation(RUNS)
  @ApiParam({ name: 'name' })
  @ApiQuery(NAMESPACE)
  @ApiQuery({ name: 'limit', required: false })
  @ApiQuery({ name: 'continue', required: false })
  async getRuns(
    @Param('name') name: string,
    @Query('namespace') namespace: string | undefined,
    @Query('limit') limit: string | undefined,
    @Query('continue') after: string | undefined,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RunRecord[]> {
    const uid = await this.#uidOf(name, namespace);
    const { items, next } = await this.history.list(uid, limitOf(limit), after);
    if (next !== undefined) void reply.header('X-Continue', next);
    return items;
  }

  @Get(':name/runs/:id')
  @ApiOperation({ summary: 'One run' })
  @ApiParam({ name: 'name' })
  @ApiParam({ name: 'id' })
  @ApiQuery(NAMESPACE)
  async getRun(
    @Param('name') name: string,
    @Param('id') id: string,
    @Query('namespace') namespace: string | undefined,
  ): Promise<RunRecord> {
    const found = await this.history.get(await this.#uidOf(name, namespace), id);
    if (!found) throw new NotFoundError(`There is no run ${id} of ${name}; it may have been pruned.`);
    return found;
  }

  async #uidOf(name: string, namespace: string | undefined): Promise<string> {
    const key = { kind: this.kind, namespace: namespace || DEFAULT_NAMESPACE, name };
    const object = await this.objects.get(key);
    if (!object) throw new NotFoundError(`There is no ${key.kind} ${name} in namespace ${key.namespace}.`);
    return object.uid;
  }
}

@ApiTags('instances')
@Controller('v1alpha2/instances')
export class InstanceRunsController extends RunsController {
  protected readonly kind = 'Instance';
}

@ApiTags('targets')
@Controller('v1alpha2/targets/registry')
export class TargetRunsController extends RunsController {
  protected readonly kind = 'Target';
}
