import { Body, Controller, Header, HttpCode, Optional, Post, Req, Res } from '@nestjs/common';
import { ApiBody, ApiOperation, ApiResponse, ApiTags } from '@nestjs/swagger';
import { AccessError, parseAs, schemaOf } from '@symphony/model';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PublicRoute } from '../http/index.js';
import { ROLES, type Role } from './access-policy.js';
import { AuthService } from './auth.service.js';
import { LoginRequest } from './login-request.js';
import { TooManyLoginsError } from './login.js';

/** What a successful login answers; the names are Symphony's. */
interface LoginReply {
  accessToken: string;
  tokenType: 'Bearer';
  username: string;
  roles: readonly Role[];
}

const LOGIN_REPLY_SCHEMA = {
  type: 'object',
  required: ['accessToken', 'tokenType', 'username', 'roles'],
  properties: {
    accessToken: { type: 'string', description: 'A JWT, good for 24 hours.' },
    tokenType: { type: 'string', enum: ['Bearer'] },
    username: { type: 'string' },
    roles: { type: 'array', items: { type: 'string', enum: [...ROLES] } },
  },
};

@ApiTags('users')
@PublicRoute()
@Controller('v1alpha2/users')
export class AuthController {
  /** Without it there are no users of our own: the route stays, so that the API is the same everywhere. */
  constructor(@Optional() private readonly auth?: AuthService) {}

  @Post('auth')
  @HttpCode(200)
  @Header('cache-control', 'no-store')
  @ApiOperation({ operationId: 'login', summary: 'Log in: a name and a password for a token', security: [] })
  @ApiBody({ schema: schemaOf(LoginRequest) as object })
  @ApiResponse({ status: 200, description: 'Logged in.', schema: LOGIN_REPLY_SCHEMA })
  async login(
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<LoginReply> {
    const { username, password } = parseAs(LoginRequest, body);
    if (!this.auth) throw noUsers();
    try {
      const { token, principal } = await this.auth.authenticate(username, password ?? '', request.ip);
      return { accessToken: token, tokenType: 'Bearer', username: principal.name, roles: principal.roles };
    } catch (error) {
      if (error instanceof TooManyLoginsError) reply.header('retry-after', String(error.retryAfterSeconds));
      throw error;
    }
  }
}

function noUsers(): AccessError {
  return new AccessError(
    403,
    'This engine has no users of its own: send a token of Kubernetes with each request instead of logging in.',
    'BuiltInUsersOff',
  );
}
