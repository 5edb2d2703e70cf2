import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ComponentStatus } from '@symphony/model';
import { mockControl, type MockControl } from '../../src/modules/providers/index.js';
import { mockTopology, TestEngine, type Wire } from '../support/engine.js';

const SOON_MS = 45_000;

interface JobView {
  state: string;
  reason?: string;
  dueAt?: string;
}

describe('a component that its provider has accepted waits for a report', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start();
  });
  afterAll(() => engine.stop());

  /** An instance with `first` and `second`, which depends on it, on a target that accepts and does it later. */
  async function pendingInstance(name: string, config: Record<string, string> = {}) {
    const mock = mockControl(name);
    mock.set({ pendApply: ['first'] });
    await engine.target(name, { topologies: mockTopology(name, config) });
    const write = (rev: string) =>
      engine.solution(`${name}-s`, [
        { name: 'first', properties: { rev } },
        { name: 'second', properties: { rev }, dependencies: ['first'] },
      ]);
    await write('1');
    await engine.instance(name, { solution: `${name}-s`, target: { name } });
    return { mock, write };
  }

  const ticketOf = async (mock: MockControl, number: number): Promise<string> => {
    await mock.until(({ tickets }) => tickets.length >= number, AbortSignal.timeout(SOON_MS));
    return mock.tickets[number - 1] ?? '';
  };
  const report = (target: string, query: Record<string, string>) =>
    engine.ok('PUT', `/targets/status/${target}/first?${new URLSearchParams(query).toString()}`);
  const statusOf = (wire: Wire | undefined, component: string): ComponentStatus | undefined =>
    wire?.status?.targetStatuses
      ?.flatMap((target) => target.componentStatuses)
      .find((item) => item.name === component);
  const shows = (name: string, reason: string) =>
    engine.until(
      `${name} to be ${reason}`,
      async () => {
        const wire = await engine.get('instances', name);
        return wire?.status?.reason === reason ? wire : undefined;
      },
      () => engine.get('instances', name),
    );
  const jobOf = async (name: string): Promise<JobView | undefined> => {
    const items = await engine.ok<(JobView & { name: string; kind: string })[]>('GET', '/jobs');
    return items.find((item) => item.name === name && item.kind === 'Instance');
  };

  it('holds no lease meanwhile, says since when and until when, and goes on with the report', async () => {
    const { mock } = await pendingInstance('waits');
    const ticket = await ticketOf(mock, 1);
    const wire = await shows('waits', 'Pending');
    expect(wire.status?.status).toBe('Reconciling');
    expect(statusOf(wire, 'first')).toMatchObject({ status: 'Pending' });
    expect(statusOf(wire, 'first')?.message).toMatch(
      /Accepted \d{4}-.*Z; a report is awaited until \d{4}-.*Z\./,
    );
    expect(statusOf(wire, 'second')).toMatchObject({ status: 'DependencyFailed' });
    expect(await jobOf('waits')).toMatchObject({ state: 'waiting', reason: 'Pending' });

    // A look by hand finds it still awaited and asks nobody anew.
    const applied = mock.calls.filter((call) => call.operation === 'apply').length;
    await engine.ok('POST', '/solution/queue?instance=waits');
    const seen = mock.calls.length;
    await mock.until(({ calls }) => calls.length > seen, AbortSignal.timeout(SOON_MS));
    await shows('waits', 'Pending');
    expect(mock.calls.filter((call) => call.operation === 'apply')).toHaveLength(applied);

    mock.finish(ticket);
    await report('waits', { 'report.state': 'succeeded', 'report.ticket': ticket });
    await engine.settled('instances', 'waits');
    expect(mock.contents.map((component) => component.name)).toEqual(['first', 'second']);
    await engine.ok('DELETE', '/instances/waits');
    const removal = await ticketOf(mock, 1);
    await shows('waits', 'Pending');
    expect((await engine.get('instances', 'waits'))?.status?.status).toBe('Deleting');
    mock.finish(removal);
    await report('waits', { 'report.state': 'succeeded', 'report.ticket': removal });
    await engine.gone('instances', 'waits');
    expect(mock.contents).toEqual([]);
  });

  it('a newer declaration supersedes it, and a report on the older one changes nothing', async () => {
    const { mock, write } = await pendingInstance('newer');
    const older = await ticketOf(mock, 1);
    await shows('newer', 'Pending');
    await write('2');
    const newer = await ticketOf(mock, 2);
    await shows('newer', 'Pending');
    await report('newer', { 'report.state': 'succeeded', 'report.ticket': older });
    await report('newer', { 'report.state': 'failed', 'report.ticket': older, 'report.message': 'too late' });
    await engine.ok('POST', '/solution/queue?instance=newer');
    await shows('newer', 'Pending');
    mock.finish(newer);
    await report('newer', { 'report.state': 'succeeded', 'report.ticket': newer });
    await engine.settled('instances', 'newer');
    expect(mock.contents.map(({ properties }) => properties?.rev)).toEqual(['2', '2']);
  });

  it('a report of failure is shown in its own words, and the provider is asked anew after a while', async () => {
    const { mock } = await pendingInstance('fails');
    const ticket = await ticketOf(mock, 1);
    await shows('fails', 'Pending');
    await report('fails', {
      'report.state': 'failed',
      'report.ticket': ticket,
      'report.message': 'the disk of the device is full',
    });
    const wire = await shows('fails', 'ProviderFailed');
    expect(wire.status?.status).toBe('Failed');
    expect(statusOf(wire, 'first')?.message).toContain('the disk of the device is full.');
    const again = await ticketOf(mock, 2);
    mock.finish(again);
    await report('fails', { 'report.state': 'succeeded', 'report.ticket': again });
    await engine.settled('instances', 'fails');
  });

  it('without a report in time it has failed, and a report that comes late counts all the same', async () => {
    const { mock } = await pendingInstance('late', { pendMs: '1500' });
    const ticket = await ticketOf(mock, 1);
    const wire = await shows('late', 'ReportTimeout');
    expect(wire.status?.status).toBe('Failed');
    expect(statusOf(wire, 'first')).toMatchObject({ status: 'ReportTimeout' });
    expect(mock.tickets).toHaveLength(1);
    mock.finish(ticket);
    await report('late', { 'report.state': 'succeeded', 'report.ticket': ticket });
    await engine.settled('instances', 'late');
    expect(mock.tickets).toHaveLength(0);
  });

  it('a report that comes before the answer of the provider is not lost', async () => {
    const mock = mockControl('early');
    mock.set({ pendApply: ['*'], latencyMs: 300 });
    await engine.target('early', { topologies: mockTopology('early') });
    await engine.solution('early-s', [{ name: 'first' }]);
    await engine.instance('early', { solution: 'early-s', target: { name: 'early' } });
    await mock.until(
      ({ calls }) => calls.some((call) => call.operation === 'apply'),
      AbortSignal.timeout(SOON_MS),
    );
    await report('early', { 'report.state': 'succeeded', 'report.ticket': 'ticket-1' });
    mock.set({ latencyMs: 0 });
    await ticketOf(mock, 1);
    mock.finish('ticket-1');
    await engine.settled('instances', 'early');
  });

  it('a report that makes no sense is refused, and one about nothing changes nothing', async () => {
    await engine.target('odd', { topologies: mockTopology('odd') });
    const bad = await engine.request('PUT', '/targets/status/odd/first?report.state=perhaps');
    expect(bad.status).toBe(400);
    expect(bad.body).toMatchObject({ problems: [{ path: 'report.state' }] });
    await report('odd', { 'report.state': 'succeeded' });
    const target = await engine.ok<{ status: { properties?: object } }>(
      'PUT',
      '/targets/status/odd/first?os=linux',
    );
    expect(target.status.properties).toEqual({ os: 'linux' });
  });
});
