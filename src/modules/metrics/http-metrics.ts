import { Injectable, type OnModuleInit } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Metrics } from './metrics.js';

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60];
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Metrics of answered requests, by the template of their route: what clients put into a URL never becomes a label. */
@Injectable()
export class HttpMetrics implements OnModuleInit {
  constructor(
    private readonly metrics: Metrics,
    private readonly host: HttpAdapterHost,
  ) {}

  onModuleInit(): void {
    const duration = this.metrics.histogram(
      'http_request_duration_seconds',
      'Time from the arrival of a request to the end of its answer, without event streams.',
      ['method', 'route', 'status'],
      BUCKETS,
    );
    const fastify = this.host.httpAdapter.getInstance<FastifyInstance>();
    fastify.addHook('onResponse', (request, reply, done) => {
      if (!isStream(reply)) duration.observe(labelsOf(request, reply), reply.elapsedTime / 1000);
      done();
    });
  }
}

function labelsOf(request: FastifyRequest, reply: FastifyReply) {
  return {
    method: METHODS.has(request.method) ? request.method : 'other',
    route: request.is404 ? 'none' : (request.routeOptions.url ?? 'none'),
    status: `${Math.floor(reply.statusCode / 100)}xx`,
  };
}

/** An event stream lasts as long as somebody watches. */
function isStream(reply: FastifyReply): boolean {
  return String(reply.raw.getHeader('content-type') ?? '').startsWith('text/event-stream');
}
