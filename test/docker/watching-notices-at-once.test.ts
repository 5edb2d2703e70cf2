import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { TargetSpec } from '@symphony/model';
import type { TargetChange } from '@symphony/provider-kit';
import { describeDocker, startDocker, type TestDocker } from '../support/docker-engine.js';
import { FaultySocket } from './faulty-socket.js';
import { DockerTarget, until } from './support.js';

describeDocker('watching a Docker engine', () => {
  let docker: TestDocker;
  let socket: FaultySocket;
  let target: DockerTarget;
  let changes: TargetChange[];
  let stop: () => Promise<void>;

  beforeAll(async () => {
    docker = await startDocker();
  });
  beforeEach(async () => {
    socket = await FaultySocket.before(docker.host);
    target = new DockerTarget(docker, { host: socket.host });
    changes = [];
    stop = await watch();
  });
  afterEach(async () => {
    await stop();
    await target.provider.close?.();
    await socket.close();
  });
  afterAll(() => docker?.stop());

  async function watch(): Promise<() => Promise<void>> {
    const call = {
      target: { name: 'edge', uid: target.uid, spec: new TargetSpec() },
      role: 'instance',
      signal: new AbortController().signal,
    };
    return (
      (await target.provider.watch?.(call, (change) => changes.push(change))) ?? (() => Promise.resolve())
    );
  }
  const noticed = (what: string): Promise<TargetChange> =>
    until(`a change '${what}'`, () => changes.find((change) => change.what === what));
  /** When another container's event has come, all earlier ones have. */
  async function settled(): Promise<void> {
    const probe = target.component(`probe-${changes.length}-${Math.random().toString(36).slice(2, 8)}`);
    const { Id } = await target.up(probe);
    await docker.api('DELETE', `/containers/${Id}?force=1`);
    await until('the probe', () =>
      changes.some(({ component, what }) => component === probe.name && what === 'destroy')
        ? true
        : undefined,
    );
    changes = changes.filter(({ component }) => component !== probe.name);
  }

  it('tells within a second whose component was removed', async () => {
    const component = target.component('web');
    const { Id } = await target.up(component);
    const since = performance.now();
    await docker.api('DELETE', `/containers/${Id}?force=1`);
    expect(await noticed('destroy')).toMatchObject({ ownerUid: target.owner.uid, component: component.name });
    expect(performance.now() - since).toBeLessThan(1_000);
  });

  it.each([
    ['stopped', 'die', (id: string) => docker.api('POST', `/containers/${id}/stop?t=1`)],
    ['paused', 'pause', (id: string) => docker.api('POST', `/containers/${id}/pause`)],
    [
      'renamed',
      'rename',
      (id: string) => docker.api('POST', `/containers/${id}/rename?name=${id.slice(0, 8)}`),
    ],
    ['updated', 'update', (id: string) => docker.api('POST', `/containers/${id}/update`, { CpuShares: 512 })],
  ])('tells when a container was %s', async (_what, action, change) => {
    const { Id } = await target.up(target.component('web'));
    await change(Id);
    expect(await noticed(action)).toMatchObject({ ownerUid: target.owner.uid });
  });

  it('keeps quiet about what the provider does itself', async () => {
    const component = target.component('web', { 'env.V': '1' });
    await target.up(component);
    await target.up(target.component('web', { 'env.V': '2' }));
    await target.up(
      target.component('web', { 'env.V': '3', 'container.volumes': [`${target.prefix}:/data`] }),
    );
    await target.up(
      target.component('web', { 'env.V': '4', 'container.volumes': [`${target.prefix}:/data`] }),
    );
    await target.apply([component], 'delete');
    await settled();
    expect(changes).toEqual([]);
  });

  it('knows nothing of other targets', async () => {
    const other = new DockerTarget(docker);
    const { Id } = await other.up(other.component('web'));
    await docker.api('DELETE', `/containers/${Id}?force=1`);
    await settled();
    expect(changes).toEqual([]);
  });

  it('tells of a container that keeps dying, and not of every death', async () => {
    const component = target.component('dying', { 'container.commands': ['sh', '-c', 'sleep 0.4; exit 1'] });
    const { Id } = await target.up(component);
    await noticed('die');
    await until('more deaths', async () => ((await target.inspect(Id)).RestartCount > 2 ? true : undefined));
    expect(changes.filter(({ what }) => what === 'die')).toHaveLength(1);
    await docker.api('DELETE', `/containers/${Id}?force=1`);
    await noticed('destroy');
  });

  it('listens again after the engine was away, and says that anything may have changed', async () => {
    const { Id } = await target.up(target.component('web'));
    await socket.refuse();
    await docker.api('DELETE', `/containers/${Id}?force=1`);
    await socket.restore();
    expect(await noticed('listening again')).toEqual({ what: 'listening again' });
    await settled();
  });

  it('begins although the engine is away, and ends for good', async () => {
    await stop();
    await socket.refuse();
    stop = await watch();
    await socket.restore();
    await noticed('listening again');
    await stop();
    const count = changes.length;
    const { Id } = await target.up(target.component('web'));
    await docker.api('DELETE', `/containers/${Id}?force=1`);
    await delay(100);
    expect(changes).toHaveLength(count);
  });
});
