import os from 'node:os';
import path from 'node:path';
import { Module, type DynamicModule } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import type { AppConfig } from './config/index.js';
import { version } from './config/version.js';
import type { FastifyInstance } from 'fastify';
import {
  assertAuthUsable,
  AuthModule,
  isLoopback,
  type AccessOfMode,
  type AuthOptions,
} from './modules/auth/index.js';
import { EventsModule } from './modules/events/index.js';
import { HealthModule } from './modules/health/index.js';
import { MetricsModule } from './modules/metrics/index.js';
import { ProvidersModule, type ProvidersOptions } from './modules/providers/index.js';
import { QueueModule } from './modules/queue/queue.module.js';
import { ReconcileModule } from './modules/reconcile/index.js';
import { SolutionModule } from './modules/solution/index.js';
import { StateModule } from './modules/state/index.js';

/** What a launch mode brings along: the module with the adapters of all ports, and whether it has the store for itself. */
export interface Mode {
  module: DynamicModule;
  /** No other process can have workers on the same store. */
  sole: boolean;
  /** Who callers are and what they may, where that is not for users of our own alone to say. */
  auth?: { users: AuthOptions | undefined; access: AccessOfMode };
  /** Called before the server listens. */
  install?: (fastify: FastifyInstance) => void;
}

/** The whole engine around the adapters of one mode. Everything but the adapters is the same in every mode. */
@Module({})
export class AppModule {
  static forMode(mode: Mode, config: AppConfig): DynamicModule {
    const providers = ProvidersModule.forRoot({
      script: scriptOptionsOf(config),
      mock: config.providers.mock,
      docker: config.providers.docker,
      http: config.providers.http,
    });
    const solution = SolutionModule.forRoot(
      {
        callTimeoutMs: config.reconcile.stepTimeoutSeconds * 1000,
        targetsAtOnce: config.reconcile.targetConcurrency,
        folders: { secret: config.secrets.folder, config: config.configs.folder },
        environment: process.env,
        history: config.history,
      },
      [providers],
    );
    const { interval, minInterval, deleteTimeout, targetConcurrency, reportTimeout } = config.reconcile;
    return {
      module: AppModule,
      imports: [
        ScheduleModule.forRoot(),
        EventsModule,
        HealthModule,
        MetricsModule.forRoot({ public: config.metrics.public, version: version() }),
        mode.module,
        mode.auth
          ? AuthModule.register(mode.auth.users, [], mode.auth.access)
          : AuthModule.register(authOptionsOf(config)),
        providers,
        solution,
        ReconcileModule.forRoot(
          {
            intervals: { interval, minInterval },
            deleteTimeoutMs: deleteTimeout,
            stepsAtOnce: targetConcurrency,
            reportWithinMs: reportTimeout,
          },
          [providers, solution],
        ),
        QueueModule.forRoot({
          concurrency: config.queue.concurrency,
          leaseMs: config.queue.leaseSeconds * 1000,
          drainMs: config.queue.drainSeconds * 1000,
          worker: `${os.hostname()}-${process.pid}`,
          sole: mode.sole,
        }),
        StateModule.forStore([]),
      ],
    };
  }
}

/** Traces of running scripts lie where the next engine on the same data finds them. */
function scriptOptionsOf({ providers, databaseUrl, dataDir }: AppConfig): ProvidersOptions['script'] {
  const { allowedFolders } = providers.script;
  return databaseUrl
    ? { allowedFolders, store: withoutCredentials(databaseUrl) }
    : { allowedFolders, stagingRoot: path.join(dataDir, 'scripts') };
}

/** Host and database, the same for all replicas whatever they log in with. */
function withoutCredentials(databaseUrl: string): string {
  if (!URL.canParse(databaseUrl)) return '';
  const { host, pathname } = new URL(databaseUrl);
  return `${host}${pathname}`;
}

/** @throws ConfigError when an open administrator would be reachable from another machine */
export function authOptionsOf({ auth, host }: AppConfig): AuthOptions {
  const options: AuthOptions = {
    ...(auth.adminPassword === undefined ? {} : { adminPassword: auth.adminPassword }),
    users: auth.users,
    loopback: isLoopback(host),
  };
  assertAuthUsable(options);
  return options;
}
