import { randomUUID } from 'node:crypto';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { NotFoundException } from '@nestjs/common';
import { SymphonyError, UnavailableError } from '@symphony/model';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Logger } from 'pino';
import { correlationIdOf, traceIdOf, withLogContext } from '../logging/index.js';
import { ActiveRequests } from './active-requests.js';
import { AllowedHosts } from './allowed-hosts.js';
import { installBodyParser } from './body/body-parser.js';
import { answerClientError, refuseExpectation } from './client-error.js';
import { Cors } from './cors.js';
import { sendProblem, toProblem } from './problem-details.js';
import { badUrl, checkRequest, parseQuery, pathOf } from './request-checks.js';
import { RenewedTls } from './renewed-tls.js';
import { RouteTable } from './route-table.js';
import type { TlsIdentity } from './tls.js';

/** From the first byte to the last of a request; answers may take as long as they need. */
const REQUEST_TIMEOUT_MS = 60_000;
const HEADERS_TIMEOUT_MS = 15_000;
/** Above the usual 60 s of load balancers, so that they close idle connections, not we under their feet. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
/** How long an ending process waits for answers that are under way. */
const CLOSE_GRACE_MS = 5_000;

export interface HttpEdgeOptions {
  /** The largest body that is read. */
  bodyLimitBytes: number;
  /** Host names, beside those of loopback, by which it may be called; undefined where any will do. */
  allowedHosts?: readonly string[];
  /** Origins whose pages may call. Default: none but our own. */
  corsOrigins?: readonly string[];
  /** Served over TLS with this. */
  tls?: TlsIdentity;
  logger: Logger;
}

/** Nest on Fastify with our rules of the edge: paths, bodies, errors, time limits, one log line a request. */
export function createHttpAdapter(options: HttpEdgeOptions): FastifyAdapter {
  const { bodyLimitBytes, tls } = options;
  const server = {
    headersTimeout: HEADERS_TIMEOUT_MS,
    connectionsCheckingInterval: 5_000,
    // Node's own refusal has no body; checkRequest has one.
    requireHostHeader: false,
  };
  const adapter = new FastifyAdapter({
    logger: false,
    bodyLimit: bodyLimitBytes,
    requestTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // Without it one open event stream keeps the process from ending.
    forceCloseConnections: true,
    // Ours answers with problem details.
    return503OnClosing: false,
    genReqId: () => randomUUID(),
    ...(tls
      ? { https: { ...server, cert: tls.cert, key: tls.key, handshakeTimeout: HEADERS_TIMEOUT_MS } }
      : { http: server }),
    routerOptions: {
      ignoreTrailingSlash: true,
      ignoreDuplicateSlashes: true,
      // A path is at most as long as Node's limit for headers: names that are too long get a sentence, not a 404.
      maxParamLength: 16_384,
      querystringParser: parseQuery,
    },
    frameworkErrors: (_error: unknown, request: FastifyRequest, reply: FastifyReply) =>
      sendProblem(reply, toProblem(badUrl('The path holds an escape that is no UTF-8 text.'), request.id)),
    clientErrorHandler: answerClientError,
  });
  installEdge(adapter.getInstance(), options);
  // Node's own refusal has no body.
  adapter.getInstance().server.on('checkExpectation', refuseExpectation);
  if (tls) renewTls(adapter.getInstance(), tls, options.logger);
  return adapter;
}

function installEdge(fastify: FastifyInstance, options: HttpEdgeOptions): void {
  const { bodyLimitBytes, corsOrigins = [], logger } = options;
  const hosts = options.allowedHosts && new AllowedHosts(options.allowedHosts, corsOrigins);
  const cors = new Cors(corsOrigins);
  const routes = new RouteTable(fastify);
  const active = new ActiveRequests();
  let ending = false;

  fastify.addHook('onRequest', (request, reply, done) => {
    active.add(reply);
    const correlationId = correlationIdOf(request.headers['x-activity-correlationid']);
    const traceId = traceIdOf(request.headers.traceparent) ?? request.id.replaceAll('-', '');
    reply.header('x-request-id', request.id);
    if (correlationId) reply.header('x-activity-correlationid', correlationId);
    withLogContext({ traceId, requestId: request.id, ...(correlationId ? { correlationId } : {}) }, done);
  });
  fastify.addHook('onResponse', (request, reply, done) => {
    logRequest(logger, request, reply);
    done();
  });
  installBodyParser(fastify, bodyLimitBytes);
  fastify.addHook('onRequest', (request, reply, done) => {
    try {
      if (ending)
        throw new UnavailableError('The engine is ending: try again soon, or another replica now.', 'Ending');
      checkRequest(request);
      hosts?.check(request);
      if (cors.apply(request, reply, () => routes.methodsOf(pathOf(request.raw.url ?? '')))) return;
      if (request.is404 && answerUnrouted(request, reply, routes)) return;
      done();
    } catch (error) {
      done(error as Error);
    }
  });
  fastify.addHook('preClose', async () => {
    ending = true;
    await active.settled(CLOSE_GRACE_MS);
  });
}

function renewTls(fastify: FastifyInstance, tls: TlsIdentity, logger: Logger): void {
  const renewed = new RenewedTls(tls, fastify.server, logger);
  fastify.addHook('onListen', (done) => {
    renewed.start();
    done();
  });
  fastify.addHook('onClose', (_instance, done) => {
    renewed.stop();
    done();
  });
}

/** A request that no route takes: OPTIONS gets the methods of its path, another method 405, an unknown path 404. */
function answerUnrouted(request: FastifyRequest, reply: FastifyReply, routes: RouteTable): boolean {
  const path = pathOf(request.raw.url ?? '');
  const methods = routes.methodsOf(path);
  if (methods.length === 0)
    throw new SymphonyError('RouteNotFound', 404, `There is no route ${shortened(path)}.`);
  // The path is known with this method, but a part of it is empty or the like: Nest says so.
  if (methods.includes(request.method) && request.method !== 'OPTIONS')
    throw new NotFoundException('There is no such route.');
  reply.header('allow', methods.join(', '));
  if (request.method === 'OPTIONS') {
    void reply.status(200).send();
    return true;
  }
  throw new SymphonyError(
    'MethodNotAllowed',
    405,
    `This path knows ${methods.join(', ')}, not ${request.method}.`,
  );
}

/** Reads and probes are many and dull: they are written at debug. The query may hold what nobody should read. */
function logRequest(logger: Logger, request: FastifyRequest, reply: FastifyReply): void {
  const dull = ['GET', 'HEAD', 'OPTIONS'].includes(request.method) && reply.statusCode < 400;
  const fields = {
    requestId: request.id,
    method: request.method,
    path: shortened(pathOf(request.raw.url ?? '')),
    status: reply.statusCode,
    durationMs: Math.round(reply.elapsedTime * 10) / 10,
  };
  logger[dull ? 'debug' : 'info'](fields, 'Request');
}

function shortened(path: string): string {
  return path.length > 200 ? `${path.slice(0, 200)}…` : path;
}
