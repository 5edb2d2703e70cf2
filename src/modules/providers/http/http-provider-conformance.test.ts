import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'vitest';
import { conformance, type ConformanceHarness } from '@symphony/provider-kit/conformance';
import { HttpServerFixture } from './http-server.fixture.js';
import { httpProvider } from './index.js';

/** The provider with a server that keeps what it is sent, by path. */
async function makeHarness(): Promise<ConformanceHarness> {
  const store = new Map<string, string>();
  const server = await HttpServerFixture.start(({ method, path, body }, response) => {
    if (method === 'POST') store.set(path, body);
    const found = store.get(path);
    if (method === 'DELETE') store.delete(path);
    response.statusCode = found === undefined ? 404 : 200;
    response.end(found);
  });
  const provider = httpProvider().create({}, { role: 'instance', provider: 'providers.target.http' });
  return {
    provider,
    component: (name, revision, secret = '') => ({
      name,
      properties: {
        'http.url': `${server.url}/${name}`,
        'http.body': `revision ${revision} ${secret}`,
        'http.get.url': `${server.url}/${name}`,
        'http.delete.url': `${server.url}/${name}`,
      },
    }),
    look: () => Promise.resolve(Object.fromEntries([...store].map(([path, body]) => [path.slice(1), body]))),
    makeUnreadable: () => server.stop(),
    makeHang() {
      server.respond = () => undefined;
      return Promise.resolve({ stuck: server.next() });
    },
    makeFail() {
      server.respond = ({ body }, response) => {
        response.statusCode = 500;
        response.end(`cannot take ${body}`);
      };
      return Promise.resolve();
    },
    async dispose() {
      await provider.close?.();
      await server.stop();
    },
  };
}

conformance('the HTTP provider', makeHarness, { describe, it, delay });
