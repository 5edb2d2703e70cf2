import helmet from '@fastify/helmet';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance } from 'fastify';
import { DOCS_PATH } from './open-api.js';
import { ProblemFilter } from './problem.filter.js';

/** Nothing that we answer is meant to be rendered, but for one page. */
const API_POLICY = { useDefaults: false, directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] } };
const DOCS_POLICY = {
  useDefaults: false,
  directives: {
    defaultSrc: ["'self'"],
    scriptSrc: ["'self'"],
    // The page that swagger-ui brings styles itself inline and draws its icons from data URLs.
    styleSrc: ["'self'", "'unsafe-inline'"],
    imgSrc: ["'self'", 'data:'],
    frameAncestors: ["'none'"],
  },
};

/** What an application on {@link createHttpAdapter} needs before it is initialised: error answers, security headers. */
export async function configureHttp(app: NestFastifyApplication): Promise<void> {
  app.useGlobalFilters(new ProblemFilter());
  await app.register(helmet, {
    contentSecurityPolicy: API_POLICY,
    // Plain HTTP is our transport; whoever ends TLS in front of us decides on HSTS.
    strictTransportSecurity: false,
  });
  const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
  fastify.addHook('onRequest', (request, reply, done) => {
    if (request.raw.url?.startsWith(`/${DOCS_PATH}`))
      void reply.helmet({ contentSecurityPolicy: DOCS_POLICY });
    done();
  });
}
