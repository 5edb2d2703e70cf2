import { expect, it } from 'vitest';
import { CONFIG_MAPS } from '../../../../test/k8s/client/config-maps.js';
import { eventLine, ScriptedServer, statusBody } from '../../../../test/k8s/client/scripted-server.js';
import { ApiClient, fixedAccess, pause } from './index.js';

const CUT = Symbol('ends the connection');

async function eventsOf(
  ...chunks: (string | Uint8Array | typeof CUT)[]
): Promise<{ seen: unknown[]; error: unknown }> {
  const server = await ScriptedServer.start((_request, response) => {
    response.writeHead(200);
    void (async () => {
      for (const chunk of chunks) {
        if (chunk === CUT) response.destroy();
        else response.write(chunk);
        await pause(20);
      }
      response.end();
    })();
  });
  const client = new ApiClient({ access: fixedAccess(server.url) });
  const seen: unknown[] = [];
  const options = {
    resourceVersion: '1',
    timeoutSeconds: 60,
    idleMs: 10_000,
    signal: new AbortController().signal,
  };
  try {
    for await (const event of client.watch(CONFIG_MAPS, options)) seen.push(event);
    return { seen, error: undefined };
  } catch (error) {
    return { seen, error };
  }
}

const OBJECT = { metadata: { name: 'größe', resourceVersion: '2' }, data: { text: 'äöü 🎵' } };

it('that come in pieces, cut inside of a character', async () => {
  const bytes = Buffer.from(eventLine('ADDED', OBJECT) + eventLine('MODIFIED', OBJECT));
  const pieces = Array.from({ length: Math.ceil(bytes.length / 7) }, (_, index) =>
    bytes.subarray(index * 7, index * 7 + 7),
  );
  const { seen, error } = await eventsOf(...pieces);
  expect(error).toBeUndefined();
  expect(seen).toEqual([
    { type: 'ADDED', object: OBJECT },
    { type: 'MODIFIED', object: OBJECT },
  ]);
});

it('and leaves out half an event at its end', async () => {
  const { seen } = await eventsOf(eventLine('ADDED', OBJECT), '{"type":"DELETED","obj');
  expect(seen).toHaveLength(1);
});

it('bookmarks are versions', async () => {
  const { seen } = await eventsOf(
    eventLine('BOOKMARK', { kind: 'ConfigMap', metadata: { resourceVersion: '9' } }),
  );
  expect(seen).toEqual([{ type: 'BOOKMARK', resourceVersion: '9' }]);
});

it('a state that has expired is an error of its own', async () => {
  const { error } = await eventsOf(eventLine('ERROR', statusBody(410, 'Expired')));
  expect(error).toMatchObject({ code: 'Expired' });
});

it('other errors inside of the stream are those of a refusal', async () => {
  const { error } = await eventsOf(eventLine('ERROR', statusBody(500, 'InternalError')));
  expect(error).toMatchObject({ code: 'KubernetesUnavailable' });
});

it('a cut connection is an error, the events before it are not lost', async () => {
  const { seen, error } = await eventsOf(eventLine('ADDED', OBJECT), CUT);
  expect(seen).toHaveLength(1);
  expect(error).toMatchObject({ code: 'KubernetesUnreachable' });
});

it.each(['<html>\n', 'null\n', '{"type":"ADDED","object":{}}\n', '{"type":"SOMETHING"}\n', '[1]\n'])(
  'what is no event is an error: %j',
  async (line) => {
    const { error } = await eventsOf(line);
    expect(error).toMatchObject({ code: 'KubernetesUnavailable' });
  },
);
