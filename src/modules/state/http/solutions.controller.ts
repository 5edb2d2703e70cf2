import { Body, Controller, Delete, Get, HttpCode, Param, Post, Req, Res } from '@nestjs/common';
import { ApiQuery, ApiTags } from '@nestjs/swagger';
import { InvalidInputError } from '@symphony/model';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { parseBodyText, RawTextBody } from '../../http/index.js';
import { type ReadBody, readBody } from '../body.js';
import { ObjectEndpoint } from './object-endpoint.js';
import { ApiDeleteObject, ApiGetObject, ApiListObjects, ApiPutObject } from './open-api.js';
import { type Query, wrongQuery } from './request.js';

const EMBED = ['embed-type', 'embed-component', 'embed-property'] as const;

const embedding = (name: (typeof EMBED)[number], description: string) =>
  ApiQuery({ name, required: false, schema: { type: 'string' }, description });

@ApiTags('solutions')
@Controller('v1alpha2/solutions')
export class SolutionsController {
  constructor(private readonly endpoint: ObjectEndpoint) {}

  @Get()
  @ApiListObjects('Solution')
  async list(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.endpoint.list('Solution', request, reply);
  }

  @Get(':name')
  @ApiGetObject('Solution')
  async get(
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.endpoint.get('Solution', name, request, reply);
  }

  @Post()
  @HttpCode(200)
  @ApiPutObject('Solution', { unnamed: true })
  async create(
    @Body() body: unknown,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.endpoint.put('Solution', undefined, body, request, reply);
  }

  @Post(':name')
  @HttpCode(200)
  @RawTextBody()
  @ApiPutObject('Solution')
  @embedding(
    'embed-type',
    'Together with the next two: the body is any text, which becomes a property. The type.',
  )
  @embedding('embed-component', 'Name of the one component.')
  @embedding('embed-property', 'Name of the property that gets the text.')
  async put(
    @Param('name') name: string,
    @Body() text: string | undefined,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    const read =
      embedded(name, text ?? '', request.query as Query) ?? readBody('Solution', parseBodyText(text ?? ''));
    await this.endpoint.putRead('Solution', name, read, request, reply);
  }

  @Delete(':name')
  @ApiDeleteObject('Solution')
  async remove(
    @Param('name') name: string,
    @Req() request: FastifyRequest,
    @Res() reply: FastifyReply,
  ): Promise<void> {
    await this.endpoint.remove('Solution', name, request, reply);
  }
}

/** A solution of one component that has the whole body, whatever it is, as the text of one property. */
function embedded(name: string, text: string, query: Query): ReadBody<'Solution'> | undefined {
  const [type, component, property] = EMBED.map((parameter) => query[parameter]);
  if (!type && !component && !property) return undefined;
  if (!type || !component || !property) {
    const missing = EMBED.find((parameter) => !query[parameter]) ?? EMBED[0];
    throw wrongQuery(missing, `is missing: the three of ${EMBED.join(', ')} go together`);
  }
  if (text === '' || text.includes('\0')) {
    const message =
      text === '' ? 'is empty: there is nothing to embed' : 'holds a NUL character; leave it out';
    throw new InvalidInputError(`The body ${message}.`, [{ path: '', message }]);
  }
  return readBody('Solution', {
    spec: { displayName: name, components: [{ name: component, type, properties: { [property]: text } }] },
  });
}
