import { Injectable } from '@nestjs/common';
import { AccessError } from '@symphony/model';
import type { FastifyRequest } from 'fastify';
import { decideAccess, segmentsOf } from './access-policy.js';
import { AuthService } from './auth.service.js';
import { bearerTokenOf } from './bearer-token.js';
import type { Principal } from './principal.js';
import { RequestAccess } from './request-access.js';

const ADVICE = 'log in with POST /v1alpha2/users/auth, and send the header "Authorization: Bearer <token>".';

/** Our own users, their tokens and roles. It looks at the route that was matched: there is no URL text to play tricks with. */
@Injectable()
export class UserAccess extends RequestAccess {
  constructor(private readonly auth: AuthService) {
    super();
  }

  override async identify(request: FastifyRequest): Promise<Principal> {
    return this.auth.identify(bearerTokenOf(request, ADVICE));
  }

  override async admit(request: FastifyRequest): Promise<Principal> {
    const principal = await this.identify(request);
    refuseUnlessAllowed(principal, request);
    return principal;
  }
}

function refuseUnlessAllowed({ name, roles }: Principal, request: FastifyRequest): void {
  const template = request.routeOptions.url ?? '';
  const segments = segmentsOf(template, (request.params ?? {}) as Record<string, unknown>);
  const { allowed, enough } = decideAccess(roles, request.method, segments);
  if (allowed) return;
  throw new AccessError(
    403,
    `"${name}" (${roles.join(', ')}) may not ${request.method} ${template}; ${enough.join(' or ')} may.`,
  );
}
