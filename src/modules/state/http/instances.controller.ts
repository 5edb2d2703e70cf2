import { Body, Controller, Delete, Get, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import { ApiQuery, ApiTags } from '@nestjs/swagger';
import { InvalidInputError } from '@symphony/model';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ReadBody, readBody } from '../body.js';
import { ObjectEndpoint } from './object-endpoint.js';
import { ApiDeleteObject, ApiGetObject, ApiListObjects, ApiPutObject } from './open-api.js';
import { type Query, wrongQuery } from './request.js';

const shorthand = (name: string, description: string) =>
  ApiQuery({ name, required: false, schema: { type: 'string' }, description });

@ApiTags('instances')
@Controller('v1alpha2/instances')
export class InstancesController {
  constructor(private readonly endpoint: ObjectEndpoint) {}

  @Get()
  @ApiListObjects('Instance')
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.endpoint.list('Instance', request, reply);
  }

  @Get(':name')
  @ApiGetObject('Instance')
  async get(
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.endpoint.get('Instance', name, request, reply);
  }

  @Post()
  @HttpCode(200)
  @ApiPutObject('Instance', { unnamed: true })
  async create(
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.endpoint.put('Instance', undefined, body, request, reply);
  }

  @Post(':name')
  @HttpCode(200)
  @ApiPutObject('Instance', { bodyOptional: true })
  @shorthand('solution', 'Instead of a body: the solution, with `target` or `target-selector`.')
  @shorthand('target', 'Name of a target, for `solution`.')
  @shorthand('target-selector', '`<property>=<value>`, for `solution`.')
  async put(
    @Param('name') name: string,
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const read = fromShorthand(name, request.query as Query) ?? readBody('Instance', body);
    await this.endpoint.putRead('Instance', name, read, request, reply);
  }

  @Delete(':name')
  @ApiDeleteObject('Instance')
  async remove(
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.endpoint.removeDeployable('Instance', name, request, reply);
  }
}

/** An instance that the query describes; a body is then not looked at, as in Symphony. */
function fromShorthand(name: string, query: Query): ReadBody<'Instance'> | undefined {
  const { solution, target, 'target-selector': selector } = query;
  if (!solution) {
    if (!target && !selector) return undefined;
    throw wrongQuery('solution', 'is missing beside target or target-selector');
  }
  if (!target && !selector) {
    throw new InvalidInputError(
      'The query names a solution but no target: add target=<name> or target-selector=<property>=<value>.',
      [{ path: 'target', message: 'is missing beside solution' }],
    );
  }
  return readBody('Instance', {
    spec: {
      displayName: name,
      solution,
      target: {
        ...(target ? { name: target } : {}),
        ...(selector ? { selector: selectorOf(selector) } : {}),
      },
    },
  });
}

function selectorOf(text: string): Record<string, string> {
  const [property = '', value, ...more] = text.split('=');
  if (property === '' || value === undefined || more.length > 0) {
    throw wrongQuery('target-selector', 'must be <property>=<value>, with exactly one =');
  }
  return { [property]: value };
}
