import { messageOf, UnavailableError } from '@symphony/model';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { RequestAccess } from '../../../modules/auth/index.js';
import type { LeaderWay } from '../access/index.js';
import type { Leader, Leadership } from '../leadership/index.js';
import { forward } from './forward.js';
import { HOP_HEADER } from './headers.js';
import { addressOf } from './leader-address.js';
import type { LeaderConnections } from './leader-connections.js';

export interface LeaderProxyOptions {
  leadership: Pick<Leadership, 'term' | 'leader'>;
  /** Of this replica: the one that its elector has. */
  identity: string;
  /** Only callers that are known are passed on; whether they may is for the leader to say. */
  access: Pick<RequestAccess, 'identify'>;
  connections: Pick<LeaderConnections, 'dispatcher'>;
  /** How the leader answers a request; undefined for all that this replica answers itself. */
  leaderWayOf: (method: string, template: string | undefined) => LeaderWay | undefined;
  /** Whether what the request names is being deleted, as far as this replica knows. */
  isGoing: (request: FastifyRequest) => boolean;
  lookEveryMs?: number;
}

/**
 * Passes on to the leader what only it knows, with the caller's own token: the leader judges the caller anew. A replica is no open
 * relay: it passes on nothing but the listed routes, to nobody but the holder of the Lease, for nobody but callers that the cluster
 * knows, and nothing that was passed on before.
 */
export class LeaderProxy {
  constructor(private readonly options: LeaderProxyOptions) {}

  /** Before the server listens. The hook comes behind those of the edge, and before the body is read. */
  install(fastify: FastifyInstance): void {
    fastify.addHook('onRequest', async (request, reply): Promise<FastifyReply | undefined> => {
      const passedOn = await this.#passOn(request, reply);
      // Fastify takes it as "answered", and waits for the end of the answer.
      return passedOn ? reply : undefined;
    });
  }

  /** @returns whether the leader answers */
  async #passOn(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
    const { leadership, access, leaderWayOf, isGoing } = this.options;
    const way = leaderWayOf(request.method, request.routeOptions.url);
    if (!way || leadership.term || (way.ofGoing && !isGoing(request))) return false;
    const wasPassedOn = request.headers[HOP_HEADER] !== undefined;
    if (wasPassedOn && way.orItself) return false;
    if (wasPassedOn) throw notLeading();
    await access.identify(request);
    if (leadership.term) return false;
    try {
      await this.#ask(request, reply, way);
      return true;
    } catch (error) {
      // Whatever was sent with it may be on its way, and cannot be read once more.
      if (way.orItself && error instanceof UnavailableError && !request.raw.destroyed) return false;
      throw error;
    }
  }

  async #ask(request: FastifyRequest, reply: FastifyReply, { withinMs }: LeaderWay): Promise<void> {
    const { leadership, identity, connections, lookEveryMs } = this.options;
    const leader = this.#leader();
    const address = addressOf(leader);
    if (!address) throw addressUnknown(leader);
    const dispatcher = await connections.dispatcher().catch((error: unknown) => {
      throw new UnavailableError(
        `The leader cannot be reached safely: ${messageOf(error)}.`,
        'LeaderUnreachable',
      );
    });
    const current = (): Leader | undefined => leadership.leader;
    await forward(request, reply, {
      dispatcher,
      address,
      leader,
      current,
      identity,
      withinMs,
      lookEveryMs,
    });
  }

  /** @throws UnavailableError `NoLeader`, also while the Lease has our own name although our term is over */
  #leader(): Leader {
    const { leader } = this.options.leadership;
    if (leader && leader.identity !== this.options.identity) return leader;
    throw new UnavailableError(
      'No replica leads at this moment; one will in seconds: try again then.',
      'NoLeader',
    );
  }
}

function notLeading(): UnavailableError {
  return new UnavailableError(
    'This replica was asked as the leader, and does not lead (any more): try again.',
    'NotLeader',
  );
}

function addressUnknown({ identity }: Leader): UnavailableError {
  return new UnavailableError(
    `The leader ${identity} does not say where it can be reached safely: set kubernetes.advertiseUrl, and give it a certificate.`,
    'LeaderUnreachable',
  );
}
