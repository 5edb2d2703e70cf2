import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { pause } from '../../../src/modes/k8s/client/index.js';
import type { LeaseTiming } from '../../../src/modes/k8s/leadership/index.js';
import { describeKubernetes, freshNamespace, type TestCluster } from '../../support/control-plane/index.js';
import { LASTING, PASSING } from './candidates.js';

vi.setConfig({ testTimeout: 150_000 });

const SOON = { timeout: 40_000, interval: 10 };
const HOOKS = new URL('../../support/typescript-hooks.mjs', import.meta.url).href;
const PROGRAM = fileURLToPath(new URL('elector-process.ts', import.meta.url));

interface Line {
  what: 'started' | 'leads' | 'ended' | 'acts';
  epoch?: number;
  at: number;
}

/** By the clock that the processes print. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

class ElectorProcess {
  readonly lines: Line[] = [];
  /** What it would have said instead. */
  errors = '';

  private constructor(readonly child: ChildProcess) {}

  static async start(
    cluster: TestCluster,
    namespace: string,
    who: string,
    timing: LeaseTiming,
  ): Promise<ElectorProcess> {
    const args = ['--import', HOOKS, PROGRAM, cluster.kubeconfigFile, namespace, who, JSON.stringify(timing)];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    onTestFinished(() => void child.kill('SIGKILL'));
    const started = new ElectorProcess(child);
    child.stderr.on('data', (text: Uint8Array) => (started.errors += Buffer.from(text).toString()));
    createInterface(child.stdout).on('line', (line) => started.lines.push(JSON.parse(line) as Line));
    await expect.poll(() => started.lines.length, SOON).toBeGreaterThan(0);
    return started;
  }

  get epochs(): (number | undefined)[] {
    return this.lines.filter(({ what }) => what === 'leads').map(({ epoch }) => epoch);
  }

  firstAt(what: Line['what'], epoch?: number): number {
    return (
      this.lines.find((line) => line.what === what && (epoch === undefined || line.epoch === epoch))?.at ??
      NaN
    );
  }

  lastActs(epoch: number): number {
    return this.lines.findLast((line) => line.what === 'acts' && line.epoch === epoch)?.at ?? NaN;
  }
}

describeKubernetes('two processes with electors', (cluster) => {
  async function pair(timing: LeaseTiming): Promise<[ElectorProcess, ElectorProcess]> {
    const namespace = await freshNamespace(cluster());
    const first = await ElectorProcess.start(cluster(), namespace, 'first', timing);
    await expect.poll(() => first.lines.some(({ what }) => what === 'acts'), SOON).toBe(true);
    const second = await ElectorProcess.start(cluster(), namespace, 'second', timing);
    // It has to have seen the leader alive.
    await pause(1_000);
    return [first, second];
  }

  it('a leader that is killed is followed after its lease', async () => {
    const [first, second] = await pair(PASSING);
    first.child.kill('SIGKILL');
    const killedAt = now();
    await expect.poll(() => second.epochs, SOON).toEqual([2]);
    const tookMs = second.firstAt('leads') - killedAt;
    expect(tookMs).toBeLessThan(2 * PASSING.leaseMs);
    expect(second.firstAt('leads')).toBeGreaterThan(first.lastActs(1));
  });

  it('a leader that is told to stop hands over at once, long before its lease ends', async () => {
    const [first, second] = await pair(LASTING);
    const toldAt = now();
    first.child.kill('SIGTERM');
    await once(first.child, 'exit');
    expect(first.child.exitCode).toBe(0);
    await expect.poll(() => second.epochs, SOON).toEqual([2]);
    expect(second.firstAt('leads') - toldAt).toBeLessThan(LASTING.leaseMs / 2);
    expect(second.firstAt('leads')).toBeGreaterThan(first.firstAt('ended'));
  });

  it('a leader that was frozen past its lease does not act when it wakes, and gets no old epoch back', async () => {
    const [first, second] = await pair(PASSING);
    first.child.kill('SIGSTOP');
    await expect.poll(() => second.epochs, SOON).toEqual([2]);
    await pause(500);
    const wokenAt = now();
    first.child.kill('SIGCONT');
    await expect.poll(() => first.lines.some(({ what }) => what === 'ended'), SOON).toBe(true);
    await pause(2_000);
    expect(first.lastActs(1)).toBeLessThan(second.firstAt('leads'));
    expect(first.lines.filter(({ what, at }) => what === 'acts' && at > wokenAt)).toEqual([]);
    expect(first.epochs).toEqual([1]);
    // And it is a candidate again.
    second.child.kill('SIGTERM');
    await expect.poll(() => first.epochs, SOON).toEqual([1, 3]);
    expect(first.errors).toBe('');
  });
});
