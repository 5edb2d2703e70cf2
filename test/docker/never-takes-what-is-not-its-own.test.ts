import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeDocker, startDocker, type TestDocker } from '../support/docker-engine.js';
import { DockerTarget } from './support.js';

describeDocker('a name that is taken on a Docker engine', () => {
  let docker: TestDocker;
  beforeAll(async () => {
    docker = await startDocker();
  });
  afterAll(() => docker?.stop());

  it('is a conflict that names the owner, and nothing is overwritten', async () => {
    const first = new DockerTarget(docker);
    const second = new DockerTarget(docker, {}, { namespace: 'blue', name: 'other' });
    const component = first.component('web');
    const before = await first.up(component);

    const { [component.name]: result } = await second.apply([component]);
    expect(result?.status).toBe(409);
    expect(result?.message).toContain(`Instance default/shop (uid ${first.owner.uid})`);
    expect(result?.message).toContain(component.name);
    expect(await first.inspect(component.name)).toEqual(before);
    expect(await second.get([component])).toEqual([]);
    expect(await second.apply([component], 'delete')).toMatchObject({ [component.name]: { status: 8005 } });
    expect(await first.inspect(component.name)).toEqual(before);
  });

  it('is a conflict too when nobody made it, also for a container that is to be renamed', async () => {
    const target = new DockerTarget(docker);
    const component = target.component('db');
    const name = `${target.prefix}-by-hand`;
    const body = { Image: docker.images[0], Entrypoint: ['sleep', '1000'] };
    const { Id } = await docker.api<{ Id: string }>('POST', `/containers/create?name=${name}`, body);
    await target.up(component);

    const renamed = target.component('db', { 'container.name': name });
    const { [component.name]: result } = await target.apply([renamed]);
    expect(result).toMatchObject({
      status: 409,
      message: expect.stringContaining('not made by this engine') as string,
    });
    expect((await target.inspect(name)).Id).toBe(Id);
    expect((await target.inspect(component.name)).State.Status).toBe('running');
    expect(await target.drift(component)).toEqual([]);
  });

  it('is no conflict for the other components of the step', async () => {
    const [first, second] = [new DockerTarget(docker), new DockerTarget(docker)];
    const taken = first.component('one');
    await first.up(taken);
    const free = second.component('two');
    expect(await second.apply([taken, free])).toMatchObject({
      [taken.name]: { status: 409 },
      [free.name]: { status: 8004 },
    });
  });
});
