import { expect, it, onTestFinished } from 'vitest';
import { CONFIG_MAPS } from '../../../../test/k8s/client/config-maps.js';
import {
  eventLine,
  json,
  ScriptedServer,
  statusBody,
  type Answer,
} from '../../../../test/k8s/client/scripted-server.js';
import { ApiClient, fixedAccess, pause } from '../client/index.js';
import { Reflector } from './index.js';

const SECONDS = 4;
/** Half of 200 ms, then twice as long each time: 0.1 + 0.2 + 0.4 + 0.8 + 1.6 s. */
const MOST_ATTEMPTS = 7;

const EMPTY = { items: [], metadata: { resourceVersion: '1' } };
const isWatch = ({ url }: { url: string }): boolean => url.includes('watch=true');

async function requestsOf(answer: Answer, seconds = SECONDS): Promise<ScriptedServer['requests']> {
  const server = await ScriptedServer.start(answer);
  const client = new ApiClient({ access: fixedAccess(server.url) });
  const reflector = new Reflector({ client, type: CONFIG_MAPS });
  onTestFinished(() => reflector.stop());
  reflector.start();
  await pause(seconds * 1000);
  await reflector.stop();
  const { length } = server.requests;
  await pause(100);
  expect(server.requests).toHaveLength(length);
  return server.requests;
}

it.concurrent.each<[string, Answer]>([
  ['cuts every connection', (_request, response) => void response.destroy()],
  ['answers 500', (_request, response) => json(response, 500, statusBody(500, 'InternalError'))],
  ['answers 403', (_request, response) => json(response, 403, statusBody(403, 'Forbidden'))],
  [
    'does not serve the resource',
    (_request, response) => void response.writeHead(404).end('404 page not found'),
  ],
  ['answers with something else', (_request, response) => void response.writeHead(200).end('<html>')],
])('that %s', async (_what, answer) => {
  const { length } = await requestsOf(answer);
  expect(length).toBeGreaterThan(2);
  expect(length).toBeLessThanOrEqual(MOST_ATTEMPTS);
});

it.concurrent.each<[string, Answer]>([
  ['ends every watch at once', (_request, response) => void response.writeHead(200).end()],
  ['refuses every watch', (_request, response) => json(response, 500, statusBody(500, 'InternalError'))],
  ['forgets every state at once', (_request, response) => json(response, 410, statusBody(410, 'Expired'))],
  [
    'forgets every state inside of the watch',
    (_request, response) => void response.writeHead(200).end(eventLine('ERROR', statusBody(410, 'Expired'))),
  ],
  [
    'cuts every watch after an event',
    (_request, response) => {
      response.writeHead(200).write(eventLine('BOOKMARK', { metadata: { resourceVersion: '2' } }));
      setTimeout(() => response.destroy(), 10);
    },
  ],
])('that lists, and %s', async (_what, answer) => {
  const requests = await requestsOf((request, response) =>
    isWatch(request) ? answer(request, response) : json(response, 200, EMPTY),
  );
  expect(requests.length).toBeGreaterThan(2);
  expect(requests.filter(isWatch).length).toBeLessThanOrEqual(MOST_ATTEMPTS);
  expect(requests.length).toBeLessThanOrEqual(2 * MOST_ATTEMPTS);
});

it.concurrent('that names the time to wait', async () => {
  const { length } = await requestsOf((_request, response) =>
    json(response, 429, statusBody(429, 'TooManyRequests'), { 'retry-after': '3' }),
  );
  expect(length).toBe(2);
});

it.concurrent('a quiet watch is one request', async () => {
  const requests = await requestsOf((request, response) => {
    if (isWatch(request)) response.writeHead(200).flushHeaders();
    else json(response, 200, EMPTY);
  });
  expect(requests.map(isWatch)).toEqual([false, true]);
});
