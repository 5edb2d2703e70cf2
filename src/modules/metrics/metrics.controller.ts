import { Controller, Get, Res } from '@nestjs/common';
import { ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import type { FastifyReply } from 'fastify';
import { PublicRoute } from '../http/index.js';
import { Metrics } from './metrics.js';

@ApiTags('metrics')
@Controller()
export class MetricsController {
  constructor(private readonly metrics: Metrics) {}

  @Get('metrics')
  @ApiOperation({ operationId: 'getMetrics', summary: "Metrics in Prometheus' text format" })
  @ApiResponse({
    status: 200,
    description: 'All metrics of this process, and gauges of what is stored.',
    content: { 'text/plain': { schema: { type: 'string' } } },
  })
  async get(@Res({ passthrough: true }) reply: FastifyReply): Promise<string> {
    const text = await this.metrics.render();
    void reply.header('content-type', this.metrics.contentType).header('cache-control', 'no-store');
    return text;
  }
}

/** The same without a token, where the configuration wants it so. */
@PublicRoute()
@ApiTags('metrics')
@Controller()
export class PublicMetricsController extends MetricsController {}
