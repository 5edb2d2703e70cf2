import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SummarySpec } from '@symphony/model';
import { mockControl } from '../../src/modules/providers/index.js';
import { mockTopology, TestEngine } from '../support/engine.js';

interface Posted {
  name: string;
  mock: string;
  components: object[];
  jobID?: string;
  targets?: string[];
}

function deployment({ name, mock, components, jobID = '1', targets = ['t1'] }: Posted): object {
  const names = components.map((component) => `{${(component as { name: string }).name}}`).join('');
  return {
    solutionName: `${name}-solution`,
    solution: { metadata: { name: `${name}-solution` }, spec: { components } },
    instance: { metadata: { name }, spec: { scope: 'default' } },
    targets: Object.fromEntries(
      targets.map((target) => [
        target,
        { metadata: { name: target }, spec: { topologies: mockTopology(`${mock}-${target}`) } },
      ]),
    ),
    assignments: Object.fromEntries(targets.map((target) => [target, names])),
    generation: '7',
    hash: 'their-own-hash',
    jobID,
  };
}

const WEB = { name: 'web', properties: { image: 'web:1' } };

describe('posted deployments', () => {
  let engine: TestEngine;

  beforeAll(async () => {
    engine = await TestEngine.start();
  });
  afterAll(() => engine.stop());

  it('answers with the summary of its run, echoes generation, hash and job id, and removes what it deployed', async () => {
    const mock = mockControl('posted-t1');
    const answer = await engine.request<SummarySpec>(
      'POST',
      '/solution/reconcile',
      deployment({ name: 'posted', mock: 'posted', components: [WEB] }),
    );
    expect(answer.status).toBe(200);
    expect(answer.body).toMatchObject({
      targetCount: 1,
      successCount: 1,
      allAssignedDeployed: true,
      isRemoval: false,
      jobID: '1',
      skipped: false,
    });
    expect(answer.body.targets?.t1).toMatchObject({ status: 'OK', components: { web: { status: 8004 } } });
    expect(mock.contents.map((component) => component.name)).toEqual(['web']);
    expect(await engine.summary('posted')).toMatchObject({
      generation: '7',
      deploymentHash: 'their-own-hash',
      state: 2,
    });

    const seen = await engine.request('GET', '/solution/queue?instance=posted');
    expect(seen.body).toMatchObject({ summary: { jobID: '1' } });

    const removed = await engine.request<SummarySpec>(
      'POST',
      '/solution/reconcile?delete=true',
      deployment({ name: 'posted', mock: 'posted', components: [WEB], jobID: '2' }),
    );
    expect(removed.body).toMatchObject({ isRemoval: true, allAssignedDeployed: true, jobID: '2' });
    expect(mock.contents).toEqual([]);
  });

  it('has nothing to do the second time: skipped, every component untouched', async () => {
    const body = deployment({ name: 'twice', mock: 'twice', components: [WEB] });
    await engine.ok('POST', '/solution/instances', body);
    const again = await engine.ok<SummarySpec>('POST', '/solution/instances', body);
    expect(again).toMatchObject({
      skipped: true,
      allAssignedDeployed: true,
      targets: { t1: { components: { web: { status: 9998 } } } },
    });
  });

  it('refuses a job id lower than the newest, and a name that a stored instance has', async () => {
    const at = (jobID: string): object =>
      deployment({ name: 'jobs', mock: 'jobs', components: [WEB], jobID });
    await engine.ok('POST', '/solution/reconcile', at('5'));
    expect(await engine.request('POST', '/solution/reconcile', at('4'))).toMatchObject({ status: 400 });
    expect(await engine.request('POST', '/solution/reconcile', at('5'))).toMatchObject({ status: 200 });

    await engine.target('stored-t', { topologies: mockTopology('stored-t') });
    await engine.solution('stored-s', [WEB]);
    await engine.instance('stored', { solution: 'stored-s', target: { name: 'stored-t' } });
    const clash = await engine.request(
      'POST',
      '/solution/reconcile',
      deployment({ name: 'stored', mock: 'clash', components: [WEB] }),
    );
    expect(clash.status).toBe(409);
  });

  it('answers 500 with the summary when a provider fails, and the other target is deployed all the same', async () => {
    mockControl('fails-t2').set({ failApply: ['*'] });
    const answer = await engine.request<SummarySpec>(
      'POST',
      '/solution/reconcile',
      deployment({ name: 'fails', mock: 'fails', components: [WEB], targets: ['t1', 't2'] }),
    );
    expect(answer.status).toBe(500);
    expect(answer.body).toMatchObject({ targetCount: 2, successCount: 1, allAssignedDeployed: false });
    expect(answer.body.targets?.t1?.status).toBe('OK');
    expect(answer.body.targets?.t2?.status).toBe('Target Update Failed');
    expect(mockControl('fails-t1').contents).toHaveLength(1);
  });

  it('limits a run to one target with the header COA_META_HEADER, and leaves the other alone', async () => {
    const body = deployment({ name: 'one', mock: 'one', components: [WEB], targets: ['t1', 't2'] });
    await engine.ok('POST', '/solution/reconcile', body, { COA_META_HEADER: '{"active-target":"t2"}' });
    expect(mockControl('one-t1').contents).toEqual([]);
    expect(mockControl('one-t2').contents).toHaveLength(1);
    const odd = await engine.request('POST', '/solution/reconcile', body, { COA_META_HEADER: 'no json' });
    expect(odd.status).toBe(400);
  });

  it('refuses what has no instance, no solution spec or no target spec with the path, and never with a 5xx', async () => {
    const good = deployment({ name: 'odd', mock: 'odd', components: [WEB] }) as Record<
      string,
      Record<string, unknown>
    >;
    const bad: [unknown, RegExp][] = [
      [undefined, /./],
      [null, /./],
      [[], /./],
      ['text', /./],
      [{ ...good, instance: undefined }, /instance/],
      [{ ...good, instance: { metadata: {}, spec: {} } }, /name/],
      [{ ...good, solution: { metadata: { name: 's' } } }, /solution/],
      [{ ...good, targets: { t1: {} } }, /targets/],
    ];
    for (const [body, path] of bad) {
      for (const [method, route] of [
        ['POST', '/solution/reconcile'],
        ['POST', '/solution/instances'],
        ['DELETE', '/solution/instances'],
      ] as const) {
        const answer = await engine.request<{ problems?: { path: string }[] }>(method, route, body);
        expect([400, 422], `${method} ${route} ${JSON.stringify(body)} -> ${answer.text}`).toContain(
          answer.status,
        );
        if (typeof body === 'object' && body && !Array.isArray(body)) expect(answer.text).toMatch(path);
      }
    }
  });

  it('refuses assignments that are no text', async () => {
    const good = deployment({ name: 'odd', mock: 'odd', components: [WEB] });
    const answer = await engine.request('POST', '/solution/reconcile', { ...good, assignments: { t1: 7 } });
    expect(answer.status).toBe(400);
    expect(answer.text).toMatch(/assignments/);
  });

  it('goes on when the client hangs up', async () => {
    const mock = mockControl('hangup-t1');
    mock.set({ latencyMs: 300 });
    const aborted = new AbortController();
    const body = deployment({ name: 'hangup', mock: 'hangup', components: [WEB] });
    const request = engine.request('POST', '/solution/reconcile', body, {}, aborted.signal);
    await mock.until((control) => control.calls.length > 0);
    aborted.abort();
    await expect(request).rejects.toThrow();
    await engine.until('the run to end all the same', async () => {
      const summary = await engine.summary('hangup');
      return summary?.state === 2 && summary.summary.allAssignedDeployed ? true : undefined;
    });
    expect(mock.contents).toHaveLength(1);
  });
});
