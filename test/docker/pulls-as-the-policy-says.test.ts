import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { describeDocker, startDocker, type TestDocker } from '../support/docker-engine.js';
import { TestRegistry } from './registry.js';
import { DockerTarget } from './support.js';

describeDocker('pulling images', () => {
  let docker: TestDocker;
  let registry: TestRegistry;
  let target: DockerTarget;
  beforeAll(async () => {
    docker = await startDocker();
  });
  beforeEach(async () => {
    registry = await TestRegistry.start();
    target = new DockerTarget(docker);
  });
  afterEach(async () => {
    for (const { Id } of await target.containers()) await docker.api('DELETE', `/containers/${Id}?force=1`);
    await registry.stop();
  });
  afterAll(() => docker?.stop());

  const component = (image: string, pull?: string, properties: object = {}) =>
    target.component('web', { 'container.image': image, 'container.imagePullPolicy': pull, ...properties });
  const wordOf = async (): Promise<string | undefined> =>
    (await target.containers())[0]?.Config.Env.find((entry) => entry.startsWith('WORD='));

  it('fetches what is not there', async () => {
    await target.up(component(registry.push('1', 'one')));
    expect(await wordOf()).toBe('WORD=one');
  });

  it('leaves what is there with IfNotPresent, and asks for it with Always', async () => {
    const image = registry.push('moving', 'one');
    const before = await target.up(component(image));
    registry.push('moving', 'two');
    expect((await target.up(component(image, 'IfNotPresent'))).Id).toBe(before.Id);
    const after = await target.up(component(image, 'Always'));
    expect(after.Id).not.toBe(before.Id);
    expect(await wordOf()).toBe('WORD=two');
    expect((await target.up(component(image, 'Always'))).Id).toBe(after.Id);
  });

  it('needs no registry for what is there, except with Always', async () => {
    const image = registry.push('here', 'one');
    await target.up(component(image));
    await registry.stop();
    await target.apply([component(image)], 'delete');
    await target.up(component(image));
    const { [component(image).name]: result } = await target.apply([component(image, 'Always')]);
    expect(result).toMatchObject({
      status: 8001,
      message: expect.stringContaining('could not be pulled') as string,
    });
    expect(await target.drift(component(image))).toEqual([]);
  });

  it('touches nothing when it cannot be pulled', async () => {
    const before = await target.up(component(registry.push('good', 'one')));
    const { [component('').name]: missing } = await target.apply([component(`${registry.host}/app:none`)]);
    expect(missing?.status).toBe(8001);
    expect(missing?.message).toContain(`${registry.host}/app:none could not be pulled`);
    const { [component('').name]: never } = await target.apply([component('no/such:1', 'Never')]);
    expect(never?.message).toContain('container.imagePullPolicy is Never');
    expect((await target.containers()).map(({ Id }) => Id)).toEqual([before.Id]);
  });

  it('logs in to the registry of the configuration, and to no other', async () => {
    registry.login = 'ann:open-sesame';
    const image = registry.push('closed', 'one');
    const config = { registryUsername: 'ann', registryPassword: 'open-sesame' };
    const elsewhere = new DockerTarget(docker, { ...config, registryServer: 'registry.test' });
    const { [elsewhere.component('web').name]: refused } = await elsewhere.apply([
      elsewhere.component('web', { 'container.image': image, 'container.imagePullPolicy': 'Always' }),
    ]);
    expect(refused?.status).toBe(8001);
    expect(refused?.message).not.toContain('open-sesame');
    target = new DockerTarget(docker, { ...config, registryServer: registry.host });
    await target.up(component(image));
  });

  it('takes an image by its digest', async () => {
    const image = registry.push('pinned', 'one');
    const manifest = await fetch(`http://${registry.host}/v2/app/manifests/pinned`);
    const digest = manifest.headers.get('docker-content-digest') ?? '';
    registry.push('pinned', 'two');
    const pinned = component(`${image.split(':').slice(0, -1).join(':')}@${digest}`);
    await target.up(pinned);
    expect(await wordOf()).toBe('WORD=one');
    expect(await target.drift(pinned)).toEqual([]);
  });

  it('ends with its signal', async () => {
    registry.hangs = true;
    const controller = new AbortController();
    const asked = registry.asked();
    const applying = target.apply([component(`${registry.host}/app:slow`)], 'update', {
      signal: controller.signal,
    });
    await asked;
    const since = performance.now();
    controller.abort(new Error('enough'));
    await expect(applying).rejects.toMatchObject({ reason: 'Interrupted' });
    expect(performance.now() - since).toBeLessThan(1_000);
  });
});
