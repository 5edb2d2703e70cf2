import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeDocker, startDocker, type TestDocker } from '../support/docker-engine.js';
import { DockerTarget } from './support.js';

/** A web server that answers with what its environment says. */
const SERVER = [
  'sh',
  '-c',
  'mkdir -p /www; echo "$WORD" >/www/index.html; trap "exit 0" TERM; httpd -f -p 80 -h /www & wait',
];

describeDocker('replacing a container', () => {
  let docker: TestDocker;
  let target: DockerTarget;
  beforeAll(async () => {
    docker = await startDocker();
  });
  beforeEach(() => {
    target = new DockerTarget(docker);
  });
  afterAll(() => docker?.stop());

  const server = (name: string, word: string, properties: Record<string, unknown> = {}) =>
    target.component(name, {
      'container.commands': SERVER,
      'container.networks': [docker.network],
      'container.ports': '{"80/tcp":{"HostIp":"127.0.0.1","HostPort":""}}',
      'env.WORD': word,
      ...properties,
    });
  const portOf = async (name: string): Promise<number> =>
    Number((await target.inspect(name)).NetworkSettings.Ports['80/tcp']?.[0]?.HostPort);
  const read = async (port: number): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(5_000) });
    return (await answer.text()).trim();
  };

  it('serves on a fixed port before and after, one after the other', async () => {
    const { name } = server('fixed', 'one');
    await target.up(server('fixed', 'one'));
    const port = await portOf(name);
    const fixed = {
      'container.ports': JSON.stringify({ '80/tcp': { HostIp: '127.0.0.1', HostPort: port } }),
    };
    await target.up(server('fixed', 'two', fixed));
    expect(await read(port)).toBe('two');
    const second = await target.up(server('fixed', 'three', fixed));
    expect(await read(port)).toBe('three');
    expect(second.Name).toBe(`/${name}`);
    expect(await target.containers()).toHaveLength(1);
    await target.apply([server('fixed', 'three')], 'delete');
  });

  it('starts the new one before the old one ends where they do not fight', async () => {
    const component = server('free', 'one');
    await target.up(component);
    const counts = new Set<number>();
    const over = new AbortController();
    const watching = (async () => {
      while (!over.signal.aborted) {
        counts.add(await target.running());
        await delay(5);
      }
    })();
    await target.up(server('free', 'two'));
    over.abort();
    await watching;
    expect(counts).toEqual(new Set([1, 2]));
    expect(await read(await portOf(component.name))).toBe('two');
    await target.apply([component], 'delete');
  });

  it('leaves the old one running when the new one dies at once', async () => {
    const good = target.component('safe', { 'env.V': '1' });
    const before = await target.up(good);
    const bad = target.component('safe', {
      'container.commands': ['sh', '-c', 'echo no settings found; exit 3'],
      'env.V': '2',
    });
    const { [bad.name]: result } = await target.apply([bad]);
    expect(result?.status).toBe(8001);
    expect(result?.message).toContain('exit code 3');
    expect(result?.message).toContain('no settings found');
    expect((await target.containers()).map(({ Id }) => Id)).toEqual([before.Id]);
    expect((await target.inspect(good.name)).State.Status).toBe('running');
    await target.apply([good], 'delete');
  });

  it('starts the old one again when the engine cannot start the new one', async () => {
    const volume = { 'container.volumes': [`${target.prefix}-shared:/data`] };
    const good = target.component('shared', volume);
    const before = await target.up(good);
    const bad = target.component('shared', { ...volume, 'container.commands': ['/no-such-program'] });
    const { [bad.name]: result } = await target.apply([bad]);
    expect(result?.status).toBe(8001);
    expect(result?.message).toContain('The former container was started again.');
    expect((await target.containers()).map(({ Id, State }) => [Id, State.Status])).toEqual([
      [before.Id, 'running'],
    ]);
    await target.apply([good], 'delete');
  });

  it('keeps what is in named volumes', async () => {
    const volume = { 'container.volumes': [`${target.prefix}-data:/data`] };
    const write = ['sh', '-c', 'echo kept >/data/file; trap "exit 0" TERM; sleep 1000 & wait'];
    const first = target.component('data', { ...volume, 'container.commands': write });
    await target.up(first);
    const check = ['sh', '-c', 'cat /data/file || exit 4; trap "exit 0" TERM; sleep 1000 & wait'];
    await target.up(target.component('data', { ...volume, 'container.commands': check }));
    await target.apply([first], 'delete');
    await target.up(target.component('data', { ...volume, 'container.commands': check }));
    await target.apply([first], 'delete');
    expect(await target.containers()).toEqual([]);
  });

  it.each([
    ['the new one was made, not started', false, true],
    ['the old one was stopped', true, true],
    ['the new one ran, the old one was not removed', true, false],
  ])('goes on where it was cut off: %s', async (what, stopOld, onlyMade) => {
    const name = what.replaceAll(/[ ,]+/g, '-');
    const component = target.component(name, { 'env.V': '2' });
    const old = await target.up(target.component(name, { 'env.V': '1' }));
    // The state that a crash leaves: a second container with the labels of this component, under a name of its own.
    const made = await target.up(target.component('donor', { 'env.V': '2' }));
    const labels = { ...made.Config.Labels, 'symphony.component': component.name };
    const { HostConfig, Config } = made as unknown as Record<string, Record<string, unknown>>;
    const body = { ...Config, HostConfig, Labels: labels, Image: docker.images[0] };
    const { Id } = await docker.api<{ Id: string }>(
      'POST',
      `/containers/create?name=${component.name}.1f`,
      body,
    );
    await target.apply([target.component('donor')], 'delete');
    if (!onlyMade) await docker.api('POST', `/containers/${Id}/start`);
    if (stopOld) await docker.api('POST', `/containers/${old.Id}/stop?t=1`);

    expect(await target.drift(component)).not.toEqual([]);
    const after = await target.up(component);
    expect(await target.drift(component)).toEqual([]);
    expect(after.Id).not.toBe(old.Id);
    // What ran as declared is kept as it is.
    if (!onlyMade) expect(after.Id).toBe(Id);
    expect((await target.containers()).map((c) => c.Name)).toEqual([`/${component.name}`]);
    await target.apply([component], 'delete');
    expect(await target.containers()).toEqual([]);
  });
});
