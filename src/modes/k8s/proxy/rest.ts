import type { AddressInfo } from 'node:net';
import { DEFAULT_NAMESPACE } from '@symphony/model';
import type { FastifyInstance } from 'fastify';
import type { AppConfig } from '../../../config/index.js';
import { ConfigError } from '../../../config/errors.js';
import {
  assertAuthUsable,
  type AccessOfMode,
  type AuthOptions,
  isLoopback,
  type RequestAccess,
} from '../../../modules/auth/index.js';
import type { ReadinessCheck } from '../../../modules/health/index.js';
import { KubernetesAccess, leaderWayOf, refuseLoginsOnPlainHttp, UsersOverTls } from '../access/index.js';
import type { ApiClient } from '../client/index.js';
import type { Leadership } from '../leadership/index.js';
import { kubernetesReadiness, type Pictures } from './kubernetes-readiness.js';
import { leaseAnnotations } from './leader-address.js';
import { LeaderConnections } from './leader-connections.js';
import { LeaderProxy } from './leader-proxy.js';

type RestConfig = Pick<AppConfig, 'auth' | 'host' | 'http' | 'kubernetes' | 'port'>;

export interface RestOptions {
  config: RestConfig;
  /** For questions about callers: best one of its own, which takes no sockets from the engine's work. */
  reviews: Pick<ApiClient, 'create'>;
  leadership: Pick<Leadership, 'term' | 'leader'>;
  /** The elector's. */
  identity: string;
  pictures: Pictures;
  /** Whether a target was seen to be being deleted. */
  isGoing: (target: { namespace: string; name: string }) => boolean;
  /** Whether the lanes of this replica's term are made. */
  hasLanes: () => boolean;
  log: { warn(fields: object): void };
}

/**
 * Our own users in this mode: none, unless an administrator's password is configured, or the cluster is not to be asked.
 * @throws ConfigError when users are configured in a way that would leave an open administrator
 */
export function usersOf({ auth, host, kubernetes }: RestConfig): AuthOptions | undefined {
  const { adminPassword, users } = auth;
  if (kubernetes.authentication && adminPassword === undefined) {
    if (users.length === 0) return undefined;
    throw new ConfigError(
      'auth.users needs a password of the administrator in this mode: set SYMPHONY_ADMIN_PASSWORD_FILE, or leave the users out.',
    );
  }
  const options = {
    ...(adminPassword === undefined ? {} : { adminPassword }),
    users,
    loopback: isLoopback(host),
  };
  assertAuthUsable(options);
  return options;
}

/** The REST API of this mode as its callers see it: who may, what the leader answers, who is ready. */
export class Rest {
  readonly readiness: ReadinessCheck;
  readonly #connections: LeaderConnections;
  readonly #proxy: LeaderProxy;
  #access: RequestAccess | undefined;
  #server: FastifyInstance['server'] | undefined;

  constructor(private readonly options: RestOptions) {
    const { config, leadership, identity, pictures, hasLanes, isGoing } = options;
    const { leaderCa: ca, leaderServerName: serverName } = config.kubernetes;
    this.readiness = kubernetesReadiness(pictures, leadership, hasLanes);
    this.#connections = new LeaderConnections({ ownCertificate: config.http.tlsCert, ca, serverName });
    this.#proxy = new LeaderProxy({
      leadership,
      identity,
      access: { identify: async (request) => this.#known().identify(request) },
      connections: this.#connections,
      leaderWayOf,
      isGoing: ({ params, query }) => {
        const { name = '' } = params as { name?: string };
        const { namespace } = query as { namespace?: unknown };
        return isGoing({
          namespace: (typeof namespace === 'string' && namespace) || DEFAULT_NAMESPACE,
          name,
        });
      },
    });
  }

  /** For `AuthModule.register`, with {@link usersOf}. */
  readonly accessOfMode: AccessOfMode = (users) => {
    const { config, reviews: client, log } = this.options;
    const { authentication, audiences, namespaces } = config.kubernetes;
    const access = authentication
      ? new KubernetesAccess({ client, audiences, namespaces, users, log })
      : users && new UsersOverTls(users);
    if (!access) throw new Error('without the cluster there must be users of our own');
    return (this.#access = access);
  };

  /**
   * Before the server listens.
   * @param listening called when it does: an elector that starts earlier cannot say where it is reached
   */
  install(fastify: FastifyInstance, listening: () => void): void {
    this.#server = fastify.server;
    refuseLoginsOnPlainHttp(fastify);
    this.#proxy.install(fastify);
    fastify.addHook('onListen', (done) => {
      listening();
      done();
    });
  }

  /** For the elector: what this replica says on the Lease when it leads. */
  annotations(): Record<string, string> {
    const { host, port, http, kubernetes } = this.options.config;
    const bound = this.#server?.address() as AddressInfo | null | undefined;
    return leaseAnnotations({
      host,
      port: bound?.port ?? port,
      tls: http.tlsCert !== undefined,
      advertiseUrl: kubernetes.advertiseUrl,
    });
  }

  /** Ends what is under way to the leader. */
  close(): Promise<void> {
    return this.#connections.close();
  }

  #known(): RequestAccess {
    if (!this.#access) throw new Error('requests come only when the application is put together');
    return this.#access;
  }
}
