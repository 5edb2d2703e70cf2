import { RouteConfig } from '@nestjs/platform-fastify';
import { SymphonyError } from '@symphony/model';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { parseBodyText } from './parse-body.js';
import { readBodyText } from './read-body.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** The body as it was sent, decoded as UTF-8; undefined when there was none. */
    rawBodyText: string | undefined;
  }
  interface FastifyContextConfig {
    rawTextBody?: boolean;
  }
}

/** Bodies are read before the token is looked at, and half a megabyte of YAML takes the thread a second. */
const LONGEST_YAML_OF_STRANGERS = 64 * 1024;

/**
 * The route takes its body as text (`request.rawBodyText`, also `@Body()`), whatever it is; {@link parseBodyText} reads
 * it when it turns out to be an object.
 */
export const RawTextBody = (): MethodDecorator => RouteConfig({ rawTextBody: true });

/** Makes every route, GET included, take any body with any or no Content-Type, as {@link parseBodyText} reads it. */
export function installBodyParser(fastify: FastifyInstance, limit: number): void {
  fastify.addHttpMethod('GET', { hasBody: true, overrideExisting: true });
  fastify.decorateRequest('rawBodyText', undefined);
  fastify.removeAllContentTypeParsers();
  fastify.addContentTypeParser('*', (request: FastifyRequest, source: FastifyRequest['raw']) =>
    readAndParse(request, source, limit),
  );
  // What a client calls its body says nothing (`curl -d` calls everything a form) and must not select a parser, or
  // fail to parse; without it an empty body is no body.
  fastify.addHook('onRequest', (request, _reply, done) => {
    delete request.raw.headers['content-type'];
    done();
  });
}

async function readAndParse(
  request: FastifyRequest,
  source: FastifyRequest['raw'],
  limit: number,
): Promise<unknown> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== '' && encoding !== 'identity') {
    throw new SymphonyError(
      'UnsupportedEncoding',
      415,
      'Compressed bodies are not read: send the body as it is.',
    );
  }
  const declared = request.headers['content-length'];
  const text = await readBodyText(source, limit, declared === undefined ? undefined : Number(declared));
  if (text === '') return undefined;
  request.rawBodyText = text;
  if (request.routeOptions.config.rawTextBody) return text;
  const known = request.headers.authorization !== undefined;
  return parseBodyText(text, known ? undefined : LONGEST_YAML_OF_STRANGERS);
}
