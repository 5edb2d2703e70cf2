import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { dockerProvider } from '../../src/modules/providers/docker/index.js';
import { sampleCall } from '@symphony/provider-kit/conformance';
import type { TargetProvider } from '@symphony/provider-kit';

const component = { name: 'web', properties: { 'container.image': 'redis', 'env.PASSWORD': 'hunter2' } };
const steps = [{ action: 'update' as const, component }];

/** What an engine that is not there, or is not one, answers; none is needed for that. */
describe('a Docker engine that cannot be spoken to', () => {
  let server: Server | undefined;
  afterEach(() => {
    server?.close();
    server = undefined;
  });

  const make = (host: string): TargetProvider =>
    dockerProvider({ env: {} }).create({ host }, { role: 'instance', provider: 'providers.target.docker' });
  const get = (host: string): Promise<unknown> =>
    make(host).get({ ...sampleCall([component]), references: steps });
  const apply = (host: string): Promise<unknown> =>
    make(host).apply({ ...sampleCall([component]), steps, dryRun: false, isFirst: true });

  async function serve(status: number, body: string): Promise<string> {
    const listening = createServer((_request, response) => response.writeHead(status).end(body));
    server = listening;
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    return `tcp://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  }

  it.each(['unix:///nowhere/docker.sock', 'tcp://127.0.0.1:1'])(
    '%s is never an empty target',
    async (host) => {
      const expected = expect.stringMatching(/cannot be reached.*Start it, or set 'host'/) as string;
      await expect(get(host)).rejects.toMatchObject({ reason: 'ObservationFailed', message: expected });
      await expect(apply(host)).rejects.toMatchObject({ reason: 'ProviderFailed', message: expected });
    },
  );

  it.each([
    [200, '<html>hello</html>'],
    [404, '{"message":"no"}'],
    [200, '{"ApiVersion":"../../x"}'],
  ])('something else that answers %d %s is recognised', async (status, body) => {
    await expect(get(await serve(status, body))).rejects.toMatchObject({
      reason: 'ObservationFailed',
      message: expect.stringContaining('does not answer as a Docker engine') as string,
    });
  });

  it('a dry run needs none', async () => {
    const call = { ...sampleCall([component]), steps, dryRun: true, isFirst: true };
    expect(await make('unix:///nowhere').apply(call)).toEqual({ web: { status: 9998, message: '' } });
  });
});
