import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { redactor } from '@symphony/provider-kit';
import { describeDocker, startDocker, type TestDocker } from '../support/docker-engine.js';
import { DockerTarget, until } from './support.js';

describeDocker('a container that does not work', () => {
  let docker: TestDocker;
  let target: DockerTarget;
  beforeAll(async () => {
    docker = await startDocker();
  });
  beforeEach(() => {
    target = new DockerTarget(docker);
  });
  afterAll(() => docker?.stop());

  const dying = (name: string, properties: Record<string, unknown> = {}) =>
    target.component(name, {
      'container.commands': ['sh', '-c', 'echo "cannot log in with $PASSWORD"; exit 7'],
      'env.PASSWORD': 'hunter2-hunter2',
      ...properties,
    });
  const redact = redactor(['hunter2-hunter2']);

  it('fails when it dies at once, with its last words and without secrets, and is left to the engine', async () => {
    const component = dying('at-once');
    const { [component.name]: result } = await target.apply([component], 'update', { redact });
    expect(result?.status).toBe(8001);
    expect(result?.message).toContain('exit code 7');
    expect(result?.message).toContain('cannot log in with •••');
    const { Id } = await target.inspect(component.name);
    const again = await target.apply([component], 'update', { redact });
    expect(again[component.name]?.status).toBe(8001);
    expect((await target.inspect(component.name)).Id).toBe(Id);
    await target.apply([component], 'delete');
  });

  it('is unhealthy, not drift, when it dies later', async () => {
    const wait = 'sleep 0.6; echo "lost $PASSWORD"; exit 7';
    const component = dying('later', { 'container.commands': ['sh', '-c', wait] });
    const { Id } = await target.up(component);
    const seen = await until('the first death', async () => {
      const [observed] = await target.get([component], { redact });
      return observed?.health?.status === 'unhealthy' ? observed : undefined;
    });
    expect(seen.health?.message).toMatch(/died|dying/);
    expect(seen.health?.message).toContain('lost •••');
    expect(JSON.stringify(seen.health)).not.toContain('hunter2');
    expect(await target.drift(component)).toEqual([]);
    await until('the engine restarting it', async () =>
      (await target.inspect(Id)).RestartCount > 1 ? true : undefined,
    );
    await target.apply([component], 'delete');
  });

  it.each([
    ['no', 0, 'healthy', 8004],
    ['no', 7, 'unhealthy', 8001],
    ['on-failure:1', 7, 'unhealthy', 8001],
    ['on-failure', 0, 'healthy', 8004],
  ])(
    'with restart policy %s and exit code %d it stays ended, and is %s',
    async (policy, code, health, status) => {
      const component = dying(`policy-${policy.replace(':', '-')}-${code}`, {
        'container.commands': ['sh', '-c', `exit ${code}`],
        'container.restartPolicy': policy,
      });
      const { [component.name]: result } = await target.apply([component]);
      expect(result?.status).toBe(status);
      await until('it to have ended for good', async () =>
        (await target.inspect(component.name)).State.Status === 'exited' ? true : undefined,
      );
      const [seen] = await target.get([component]);
      expect(seen?.health?.status).toBe(health);
      expect(await target.drift(component)).toEqual([]);
      const { StartedAt } = (await target.inspect(component.name)).State;
      await target.apply([component]);
      expect((await target.inspect(component.name)).State.StartedAt).toBe(StartedAt);
      await target.apply([component], 'delete');
    },
  );

  it('is healthy while all is well', async () => {
    const component = target.component('well');
    await target.up(component);
    const [seen] = await target.get([component]);
    expect(seen?.health).toEqual({ status: 'healthy', message: '' });
    await target.apply([component], 'delete');
  });

  it('fails what depends on it, which is not begun', async () => {
    const first = dying('first');
    const second = Object.assign(target.component('second'), { dependencies: [first.name] });
    const results = await target.apply([first, second]);
    expect(results).toMatchObject({ [first.name]: { status: 8001 }, [second.name]: { status: 8001 } });
    expect(results[second.name]?.message).toContain(first.name);
    expect(await target.get([second])).toEqual([]);
    await target.apply([first], 'delete');
  });
});
