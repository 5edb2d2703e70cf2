import { Body, Controller, Delete, Get, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import { ApiTags } from '@nestjs/swagger';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { readBody } from '../body.js';
import { ObjectEndpoint } from './object-endpoint.js';
import { ApiDeleteObject, ApiGetObject, ApiListObjects, ApiPutObject } from './open-api.js';

/** Later 0.48 clients create these before they create solutions. They are stored and mean nothing. */
@ApiTags('solutions')
@Controller('v1alpha2/solutioncontainers')
export class SolutionContainersController {
  constructor(private readonly endpoint: ObjectEndpoint) {}

  @Get()
  @ApiListObjects('SolutionContainer')
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.endpoint.list('SolutionContainer', request, reply);
  }

  @Get(':name')
  @ApiGetObject('SolutionContainer')
  async get(
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.endpoint.get('SolutionContainer', name, request, reply);
  }

  @Post(':name')
  @HttpCode(200)
  @ApiPutObject('SolutionContainer', { bodyOptional: true })
  async put(
    @Param('name') name: string,
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const read = readBody('SolutionContainer', withSpec(body ?? {}));
    await this.endpoint.putRead('SolutionContainer', name, read, request, reply);
  }

  @Delete(':name')
  @ApiDeleteObject('SolutionContainer')
  async remove(
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.endpoint.remove('SolutionContainer', name, request, reply);
  }
}

/** As in Symphony, whatever spec is sent is replaced by an empty one. */
function withSpec(body: unknown): unknown {
  return typeof body === 'object' && !Array.isArray(body) ? { ...body, spec: {} } : body;
}
