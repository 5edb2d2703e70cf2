import type { AddressInfo } from 'node:net';
import { Controller, type DynamicModule, Get, Module, Post, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { KubernetesAccess, leaderMsOf } from '../../../src/modes/k8s/access/index.js';
import { Elector, processIdentity } from '../../../src/modes/k8s/leadership/index.js';
import {
  kubernetesReadiness,
  leaseAnnotations,
  LeaderConnections,
  LeaderProxy,
} from '../../../src/modes/k8s/proxy/index.js';
import { AuthModule, principalOf } from '../../../src/modules/auth/index.js';
import { HealthModule, ReadinessRegistry } from '../../../src/modules/health/index.js';
import { configureHttp, createHttpAdapter, loadTls } from '../../../src/modules/http/index.js';
import { createLogger, NestLogger } from '../../../src/modules/logging/index.js';
import type { ApiClient } from '../../../src/modes/k8s/client/index.js';
import { AUDIENCE } from './access.js';

/** Where routes of the engine are that only the leader, and that every replica answers. */
function routes(name: string) {
  @Controller('v1alpha2')
  class Routes {
    @Get('jobs') list(@Req() request: FastifyRequest): object {
      return { by: name, for: principalOf(request).name };
    }
    @Post('solution/queue') order(@Req() request: FastifyRequest): object {
      return { by: name, for: principalOf(request).name, body: request.body };
    }
    @Get('instances') instances(): object {
      return { by: name };
    }
  }
  return Routes;
}

@Module({})
class ReplicaModule {
  static with(access: KubernetesAccess, name: string): DynamicModule {
    return {
      module: ReplicaModule,
      imports: [HealthModule, AuthModule.register(undefined, [], () => access)],
      controllers: [routes(name)],
    };
  }
}

const LEASE = { leaseMs: 3_000, renewDeadlineMs: 2_000, retryMs: 400 };
const silent = { info: () => undefined, warn: () => undefined };

/** One replica as far as its callers see it: the edge over TLS, access, leadership and the way to the leader. */
export class Replica {
  private constructor(
    readonly url: string,
    readonly elector: Elector,
    private readonly app: NestFastifyApplication,
    private readonly connections: LeaderConnections,
  ) {}

  static async start(
    name: string,
    client: ApiClient,
    namespace: string,
    tls: { cert: string; key: string },
  ): Promise<Replica> {
    const access = new KubernetesAccess({ client, audiences: [AUDIENCE], log: silent });
    const logger = createLogger({ level: 'fatal' });
    const app = await NestFactory.create<NestFastifyApplication>(
      ReplicaModule.with(access, name),
      createHttpAdapter({ bodyLimitBytes: 1024 * 1024, logger, tls: loadTls(tls.cert, tls.key) }),
      { bodyParser: false, abortOnError: false, logger: new NestLogger(logger) },
    );
    await configureHttp(app);
    const identity = `${name}_${processIdentity({})}`;
    const port = (): number => (app.getHttpServer().address() as AddressInfo | null)?.port ?? 0;
    const elector = new Elector({
      client,
      namespace,
      name: 'symphony-engine',
      identity,
      timing: LEASE,
      annotations: () => leaseAnnotations({ host: '127.0.0.1', port: port(), tls: true }),
      log: silent,
    });
    const connections = new LeaderConnections({ ownCertificate: tls.cert });
    const proxy = new LeaderProxy({ leadership: elector, identity, access, connections, leaderMsOf });
    proxy.install(app.getHttpAdapter().getInstance());
    app.get(ReadinessRegistry).register('k8s', kubernetesReadiness({}, elector));
    await app.listen(0, '127.0.0.1');
    elector.start();
    return new Replica(`https://127.0.0.1:${port()}`, elector, app, connections);
  }

  async stop(): Promise<void> {
    await this.elector.stop();
    await this.connections.close();
    await this.app.close();
  }
}
