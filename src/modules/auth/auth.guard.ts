import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import { AccessError } from '@symphony/model';
import type { FastifyRequest } from 'fastify';
import { PUBLIC_ROUTE } from '../http/index.js';
import { decideAccess, segmentsOf } from './access-policy.js';
import { AuthService } from './auth.service.js';
import type { Principal } from './principal.js';

/** One header of Node's holds at most 16 KiB; our tokens have some 400 characters. */
const BEARER = /^bearer +([A-Za-z0-9._~+/=-]{1,8192}) *$/i;

/**
 * Lets a request through to its handler when its route is public, or its token's user may do this. It is bound to every
 * route of the application, and looks at the route that was matched: there is no URL text to play tricks with.
 */
@Injectable()
export class AuthGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly auth: AuthService,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<FastifyRequest>();
    if (request.method === 'OPTIONS') return true;
    const handlers = [context.getHandler(), context.getClass()];
    if (this.reflector.getAllAndOverride<boolean | undefined>(PUBLIC_ROUTE, handlers)) return true;
    const principal = await this.auth.identify(tokenOf(request));
    refuseUnlessAllowed(principal, request);
    request.user = principal;
    return true;
  }
}

function tokenOf({ headers }: FastifyRequest): string {
  const token = BEARER.exec(headers.authorization ?? '')?.[1];
  if (token !== undefined) return token;
  throw new AccessError(
    401,
    'A token is needed: log in with POST /v1alpha2/users/auth, and send the header "Authorization: Bearer <token>".',
    'TokenMissing',
  );
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
