import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeDocker, startDocker, type TestDocker } from '../support/docker-engine.js';
import { TestEngine } from '../support/engine.js';

interface Container {
  Id: string;
  State: { Status: string };
  Config: { Image: string };
}

const STAYS = ['sh', '-c', 'trap "exit 0" TERM; sleep 1000 & wait'];
const DIES = ['sh', '-c', 'echo cannot open the till; sleep 0.2; exit 3'];

describeDocker('containers on a real Docker engine, from the declaration to the removal', () => {
  const prefix = randomBytes(3).toString('hex');
  let docker: TestDocker;
  let engine: TestEngine;

  beforeAll(async () => {
    [docker, engine] = await Promise.all([startDocker(), TestEngine.start()]);
    const config = { host: docker.host, startGraceSeconds: '0.3' };
    await engine.target('machine', {
      topologies: [{ bindings: [{ role: 'instance', provider: 'providers.target.docker', config }] }],
    });
  });
  afterAll(async () => {
    await engine?.stop();
    await docker?.stop();
  });

  const component = (name: string, commands: string[], image = docker.images[0]): object => ({
    name: `${prefix}-${name}`,
    properties: {
      'container.image': image,
      'container.imagePullPolicy': 'Never',
      'container.commands': commands,
    },
  });

  async function container(name: string): Promise<Container | undefined> {
    try {
      return await docker.api<Container>('GET', `/containers/${prefix}-${name}/json`);
    } catch {
      return undefined;
    }
  }

  it('the quick start: deployed, back by itself when somebody removes it, updated, removed', async () => {
    await engine.solution('redis-v-1', [component('redis', STAYS)]);
    await engine.instance('redis', { solution: 'redis:1', target: { name: 'machine' } });
    await engine.settled('instances', 'redis');
    const first = await container('redis');
    expect(first?.State.Status).toBe('running');

    // The next periodic run is up to half an hour away: what brings it back is the engine's own event.
    await docker.api('DELETE', `/containers/${first?.Id ?? ''}?force=true`);
    const removedAt = performance.now();
    const second = await engine.until('the container to be back', async () => {
      const found = await container('redis');
      return found?.State.Status === 'running' ? found : undefined;
    });
    process.stdout.write(`removed by hand, back after ${Math.round(performance.now() - removedAt)} ms\n`);
    expect(second.Id).not.toBe(first?.Id);

    await engine.solution('redis-v-1', [component('redis', STAYS, docker.images[1])]);
    await engine.until('the new image', async () =>
      (await container('redis'))?.Config.Image === docker.images[1] ? true : undefined,
    );

    await engine.ok('DELETE', '/instances/redis');
    await engine.gone('instances', 'redis');
    expect(await container('redis')).toBeUndefined();
  });

  it('a name that belongs to another instance is a conflict that names it, until that one goes', async () => {
    await engine.solution('till-v-1', [component('till', STAYS)]);
    await engine.instance('mine', { solution: 'till:1', target: { name: 'machine' } });
    await engine.settled('instances', 'mine');
    const before = await container('till');
    await engine.instance('theirs', { solution: 'till:1', target: { name: 'machine' } });
    const { status } = await engine.settled('instances', 'theirs', 'Failed');
    expect(status?.reason).toBe('OwnedByOther');
    expect(status?.statusDetails).toContain('default/mine');
    // Nothing was overwritten: not made anew, not restarted, the owner's mark and all else as before.
    expect(await container('till')).toEqual(before);
    await engine.ok('DELETE', '/instances/theirs');
    await engine.gone('instances', 'theirs');
    expect(await container('till')).toEqual(before);

    await engine.ok('DELETE', '/instances/mine');
    await engine.gone('instances', 'mine');
    await engine.instance('theirs', { solution: 'till:1', target: { name: 'machine' } });
    await engine.settled('instances', 'theirs');
    expect((await container('till'))?.Id).not.toBe(before?.Id);
  });

  it('what keeps dying is reported with its last words', async () => {
    await engine.solution('shop-v-1', [component('shop', DIES)]);
    await engine.instance('shop', { solution: 'shop:1', target: { name: 'machine' } });
    const { status } = await engine.settled('instances', 'shop', 'Failed');
    expect(status?.statusDetails).toMatch(/cannot open the till/);
    await engine.ok('DELETE', '/instances/shop');
    await engine.gone('instances', 'shop');
  });
});
