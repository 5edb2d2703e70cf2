import { Controller, type DynamicModule, Get, Module, Post, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyRequest } from 'fastify';
import { Elector, processIdentity } from '../../../src/modes/k8s/leadership/index.js';
import { Rest, usersOf } from '../../../src/modes/k8s/proxy/index.js';
import { type AppConfig, loadConfig } from '../../../src/config/index.js';
import { AuthModule, principalOf } from '../../../src/modules/auth/index.js';
import { HealthModule, ReadinessRegistry } from '../../../src/modules/health/index.js';
import { configureHttp, createHttpAdapter, loadTls } from '../../../src/modules/http/index.js';
import { createLogger, NestLogger } from '../../../src/modules/logging/index.js';
import type { ApiClient } from '../../../src/modes/k8s/client/index.js';

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
  static with(rest: Rest, config: AppConfig, name: string): DynamicModule {
    return {
      module: ReplicaModule,
      imports: [HealthModule, AuthModule.register(usersOf(config), [], rest.accessOfMode)],
      controllers: [routes(name)],
    };
  }
}

/** So long that no term ends by itself; who stops hands over at once. */
const LEASE = { leaseMs: 30_000, renewDeadlineMs: 20_000, retryMs: 400 };
const silent = { info: () => undefined, warn: () => undefined };

/** One replica as far as its callers see it: the edge over TLS, access, leadership and the way to the leader. */
export class Replica {
  private constructor(
    readonly url: string,
    readonly elector: Elector,
    private readonly app: NestFastifyApplication,
    private readonly rest: Rest,
  ) {}

  static async start(
    name: string,
    client: ApiClient,
    namespace: string,
    tls: { cert: string; key: string },
  ): Promise<Replica> {
    const flags = new Map([
      ['http.tlsCert', tls.cert],
      ['http.tlsKey', tls.key],
    ]);
    const { config } = loadConfig({ flags });
    const identity = `${name}_${processIdentity({})}`;
    const elector: Elector = new Elector({
      client,
      namespace,
      name: 'symphony-engine',
      identity,
      timing: LEASE,
      annotations: () => rest.annotations(),
      log: silent,
    });
    const rest = new Rest({
      config,
      reviews: client,
      leadership: elector,
      identity,
      pictures: {},
      isGoing: () => false,
      hasLanes: () => true,
      log: silent,
    });
    const logger = createLogger({ level: 'fatal' });
    const app = await NestFactory.create<NestFastifyApplication>(
      ReplicaModule.with(rest, config, name),
      createHttpAdapter({ bodyLimitBytes: 1024 * 1024, logger, tls: loadTls(tls.cert, tls.key) }),
      { bodyParser: false, abortOnError: false, logger: new NestLogger(logger), httpsOptions: {} },
    );
    await configureHttp(app);
    rest.install(app.getHttpAdapter().getInstance(), () => elector.start());
    app.get(ReadinessRegistry).register('k8s', rest.readiness);
    await app.listen(0, '127.0.0.1');
    return new Replica(await app.getUrl(), elector, app, rest);
  }

  async stop(): Promise<void> {
    await this.elector.stop();
    await this.rest.close();
    await this.app.close();
  }
}
