import { Controller, Get, Header, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { PublicRoute } from '../http/index.js';
import { processFaults } from './process-faults.js';
import { type Readiness, ReadinessRegistry } from './readiness-registry.js';

const CHECK_SCHEMA = {
  type: 'object',
  required: ['name', 'ready', 'durationMs'],
  properties: {
    name: { type: 'string' },
    ready: { type: 'boolean' },
    reason: { type: 'string', description: 'Why it is not ready.' },
    detail: { type: 'string', description: 'More about what is ready.' },
    durationMs: { type: 'integer' },
  },
};
const READINESS_SCHEMA = {
  type: 'object',
  required: ['ready', 'checks'],
  properties: { ready: { type: 'boolean' }, checks: { type: 'array', items: CHECK_SCHEMA } },
};
const HEALTH_SCHEMA = {
  type: 'object',
  required: ['alive', 'uptimeSeconds', 'faults'],
  properties: {
    alive: { type: 'boolean' },
    uptimeSeconds: { type: 'integer' },
    faults: {
      type: 'object',
      description: 'Errors that nobody caught since the start; each is in the log.',
      required: ['unhandledRejection', 'uncaughtException'],
      properties: { unhandledRejection: { type: 'integer' }, uncaughtException: { type: 'integer' } },
    },
  },
};

@ApiTags('health')
@PublicRoute()
@Controller()
export class HealthController {
  constructor(private readonly readiness: ReadinessRegistry) {}

  /** Only that the process answers: a supervisor that restarts it for an unreachable database would help nobody. */
  @Get('healthz')
  @Header('cache-control', 'no-store')
  @ApiOperation({ operationId: 'getHealth', summary: 'Whether the process is alive', security: [] })
  @ApiResponse({ status: 200, description: 'The process answers.', schema: HEALTH_SCHEMA })
  health(): object {
    return { alive: true, uptimeSeconds: Math.floor(process.uptime()), faults: processFaults.totals };
  }

  @Get('readyz')
  @Header('cache-control', 'no-store')
  @ApiOperation({ operationId: 'getReadiness', summary: 'Whether requests can be served now', security: [] })
  @ApiResponse({ status: 200, description: 'Every check passes.', schema: READINESS_SCHEMA })
  @ApiResponse({
    status: 503,
    description: 'Some check does not pass; it says why.',
    schema: READINESS_SCHEMA,
  })
  async ready(@Res({ passthrough: true }) reply: FastifyReply): Promise<Readiness> {
    const readiness = await this.readiness.check();
    if (!readiness.ready) void reply.status(503).header('retry-after', '1');
    return readiness;
  }
}
