import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, it } from 'vitest';
import { TargetSpec } from '@symphony/model';
import { conformance, type ConformanceHarness } from '@symphony/provider-kit/conformance';
import { dockerProvider } from '../../src/modules/providers/docker/index.js';
import { describeDocker, startDocker, type TestDocker } from '../support/docker-engine.js';
import { FaultySocket } from './faulty-socket.js';

let docker: TestDocker;

interface Listed {
  Id: string;
  Labels: Record<string, string>;
  Names: string[];
  State: string;
}

/** The provider on a real engine; each check has a target, that is, labels and names, of its own. */
async function makeHarness(): Promise<ConformanceHarness> {
  const socket = await FaultySocket.before(docker.host);
  const uid = randomUUID();
  const names = uid.slice(0, 8);
  let failing = false;
  const containers = (): Promise<Listed[]> => {
    const filters = encodeURIComponent(JSON.stringify({ label: [`symphony.target-uid=${uid}`] }));
    return docker.api('GET', `/containers/json?all=1&filters=${filters}`);
  };
  const inspect = (id: string): Promise<{ Config: { Env: string[] }; State: { StartedAt: string } }> =>
    docker.api('GET', `/containers/${id}/json`);
  const config = { host: socket.host, startGraceSeconds: '0.1' };
  const provider = dockerProvider().create(config, { role: 'instance', provider: 'providers.target.docker' });
  return {
    provider,
    call: { target: { name: `target-${names}`, uid, spec: new TargetSpec() } },
    component: (name, revision, secret = '') => ({
      name,
      properties: {
        'container.image': docker.images[0],
        'container.name': `${names}-${name}`,
        'container.imagePullPolicy': 'Never',
        'container.commands': failing ? [`/no-such-program-${secret}`] : ['sleep', '1000'],
        'container.stopTimeoutSeconds': 0,
        'env.REVISION': revision,
        'env.SECRET': secret,
      },
    }),
    async look() {
      const found = await Promise.all(
        (await containers()).map(async ({ Id, Labels, Names, State }) => {
          const { Config } = await inspect(Id);
          const revision = Config.Env.find((entry) => entry.startsWith('REVISION='));
          return [Labels['symphony.component'] ?? '', `${Names.join()} ${State} ${revision}`] as const;
        }),
      );
      return Object.fromEntries(found);
    },
    async writes() {
      const found = (await containers()).map(
        async ({ Id }) => `${Id} ${(await inspect(Id)).State.StartedAt}`,
      );
      return (await Promise.all(found)).sort().join('\n');
    },
    makeUnreadable: () => socket.refuse(),
    makeHang: () => Promise.resolve({ stuck: socket.hang() }),
    makeFail() {
      failing = true;
      return Promise.resolve();
    },
    async dispose() {
      await provider.close?.();
      await socket.close();
      for (const { Id } of await containers()) await docker.api('DELETE', `/containers/${Id}?force=1`);
    },
  };
}

describeDocker('the Docker provider on a real engine', () => {
  beforeAll(async () => {
    docker = await startDocker();
  });
  afterAll(() => docker?.stop());

  conformance('the Docker provider', makeHarness, { describe: describeDocker, it, delay });
});
