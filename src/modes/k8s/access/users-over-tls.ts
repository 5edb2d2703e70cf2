import type { FastifyInstance, FastifyRequest } from 'fastify';
import { RequestAccess, type Principal } from '../../../modules/auth/index.js';
import { refusePlainHttp } from './plain-http.js';

const LOGIN = '/v1alpha2/users/auth';

/** Our own users where the cluster is not asked about callers: their tokens are refused on plain HTTP like those of the cluster. */
export class UsersOverTls extends RequestAccess {
  constructor(private readonly users: RequestAccess) {
    super();
  }

  override async identify(request: FastifyRequest): Promise<Principal> {
    refusePlainHttp(request);
    return this.users.identify(request);
  }

  override async admit(request: FastifyRequest): Promise<Principal> {
    refusePlainHttp(request);
    return this.users.admit(request);
  }
}

/** The login is the one public route that is sent a secret: it is refused before its body is read. */
export function refuseLoginsOnPlainHttp(fastify: FastifyInstance): void {
  fastify.addHook('onRequest', async (request) => {
    if (request.routeOptions.url === LOGIN) refusePlainHttp(request);
  });
}
