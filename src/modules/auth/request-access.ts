import type { FastifyRequest } from 'fastify';
import type { Principal } from './principal.js';

/** Decides about every request to a route that is not public. Each mode brings its own. */
export abstract class RequestAccess {
  /**
   * Who makes this request; whether they may is another question.
   * @throws AccessError (401), UnavailableError when it cannot be told
   */
  abstract identify(request: FastifyRequest): Promise<Principal>;

  /**
   * Who makes this request, if they may make it. The route is matched and the body is read.
   * @throws AccessError (401, 403), UnavailableError when it cannot be told
   */
  abstract admit(request: FastifyRequest): Promise<Principal>;
}
