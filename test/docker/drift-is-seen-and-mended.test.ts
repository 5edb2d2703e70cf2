import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeDocker, startDocker, type TestDocker } from '../support/docker-engine.js';
import { DockerTarget } from './support.js';

describeDocker('a container that somebody changed', () => {
  let docker: TestDocker;
  let target: DockerTarget;
  beforeAll(async () => {
    docker = await startDocker();
  });
  beforeEach(() => {
    target = new DockerTarget(docker, { allowedHostPaths: '/tmp' });
  });
  afterAll(() => docker?.stop());

  const post = (path: string, body?: unknown): Promise<unknown> => docker.api('POST', path, body);

  it('shows no drift while nobody did, with everything declared that can be', async () => {
    const component = target.component('full', {
      'container.name': `${target.prefix}-named`,
      'container.ports': '{"80/tcp":{"HostIP":"127.0.0.1","hostPort":"0"}}',
      'container.resources': '{"memory": 67108864, "NanoCpus": 500000000}',
      'container.args': '[]',
      'container.volumes': ['full-data:/data', { source: '/tmp', target: '/host', readOnly: true }],
      'container.networks': [docker.network],
      'container.labels': { team: 'blue' },
      'container.restartPolicy': 'on-failure:3',
      'container.stopTimeoutSeconds': 1,
      'env.A': 1,
      'env.B': { c: [1, 'x=y'] },
    });
    const before = await target.up(component);
    expect(await target.drift(component)).toEqual([]);
    expect(before.HostConfig.Memory).toBe(67_108_864);
    expect(before.Config.Env).toEqual(expect.arrayContaining(['A=1', 'B={"c":[1,"x=y"]}']));
    expect(before.Config.Labels).toMatchObject({ team: 'blue', 'symphony.owner': 'Instance default/shop' });
    expect((await target.up(component)).Id).toBe(before.Id);
  });

  it.each([
    ['removed', (id: string) => docker.api('DELETE', `/containers/${id}?force=1`), ['missing'], false],
    ['stopped', (id: string) => post(`/containers/${id}/stop?t=0`), ['container.state'], true],
    ['killed', (id: string) => post(`/containers/${id}/kill`), ['container.state'], true],
    ['paused', (id: string) => post(`/containers/${id}/pause`), ['container.state'], true],
    [
      'renamed',
      (id: string) => post(`/containers/${id}/rename?name=${id.slice(0, 9)}`),
      ['container.name'],
      true,
    ],
    [
      'given other resources',
      (id: string) => post(`/containers/${id}/update`, { Memory: 33_554_432, MemorySwap: 67_108_864 }),
      ['container.resources'],
      false,
    ],
    [
      'given another restart policy',
      (id: string) => post(`/containers/${id}/update`, { RestartPolicy: { Name: 'no' } }),
      ['container.restartPolicy'],
      false,
    ],
    [
      'put into another network',
      (id: string) => post(`/networks/${docker.network}/disconnect`, { Container: id }),
      ['container.networks'],
      false,
    ],
  ])('is seen when it was %s, and is as declared after the next apply', async (what, change, drift, same) => {
    const component = target.component(what.replaceAll(' ', '-'), {
      'container.resources': { Memory: 67_108_864 },
      'container.networks': docker.network,
    });
    const before = await target.up(component);
    await change(before.Id);
    expect(await target.drift(component)).toEqual(drift);
    const after = await target.up(component);
    expect(await target.drift(component)).toEqual([]);
    expect(after.State.Status).toBe('running');
    expect(after.Id === before.Id).toBe(same);
  });

  it.each([
    ['image', { 'container.image': '2' }],
    ['environment', { 'env.MODE': 'other' }],
    ['arguments', { 'container.args': ['x'] }],
    ['labels', { 'container.labels': '{"a":"c"}' }],
    ['ports', { 'container.ports': '{"81/tcp":{"HostPort":""}}' }],
    ['volumes', { 'container.volumes': '["other:/data"]' }],
    ['pull policy', { 'container.imagePullPolicy': 'IfNotPresent' }],
  ])('is replaced when its %s is declared otherwise, and only then', async (what, change) => {
    const first = {
      'container.args': ['y'],
      'container.labels': { a: 'b' },
      'container.ports': '{"80/tcp":[{"HostPort":""}]}',
      'container.volumes': ['some:/data'],
      'env.MODE': 'one',
    };
    const name = `change-${what.replaceAll(' ', '-')}`;
    const before = await target.up(target.component(name, first));
    const image = 'container.image' in change ? { 'container.image': docker.images[1] } : {};
    const component = target.component(name, { ...first, ...change, ...image });
    const visible = what === 'pull policy' ? [] : [Object.keys(change)[0]];
    expect(await target.drift(component)).toEqual(visible);
    const after = await target.up(component);
    expect(after.Id !== before.Id).toBe(what !== 'pull policy');
    expect(await target.drift(component)).toEqual([]);
    expect(await target.containers()).toHaveLength(
      new Set((await target.containers()).map(({ Name }) => Name)).size,
    );
  });
});
