// Kubernetes mode on a real control plane: what instances cost from the first `kubectl apply` to the last deletion, in time, in
// requests to the API server (counted by its audit log) and in processor time. The provider is the mock, which answers at once.
import { setTimeout as delay } from 'node:timers/promises';
import type { KubernetesObject } from '../support/control-plane/index.js';
import { isWrite, requestsOfEngine } from '../support/engine-requests.js';
import { startCluster, type BenchCluster } from './lib/cluster.js';
import { forEach } from './lib/fixtures.js';
import { describeMachine, quick, say, table } from './lib/report.js';

const SIZES = quick ? [20] : [100, 500, 1000];
const TARGETS = quick ? 5 : 100;
const IDLE_S = quick ? 5 : 30;
const DEADLINE_MS = 900_000;
const PATHS = { targets: 'fabric.symphony', solutions: 'solution.symphony', instances: 'solution.symphony' };

interface Status {
  status?: string;
  deploymentHash?: string;
}

/** What happened between two moments. */
interface Phase {
  what: string;
  /** Of instances that it concerned. */
  count: number;
  seconds: number;
  engineCpu: number;
  clusterCpu: number;
  requests: Map<string, number>;
}

const HEAD = [
  'instances',
  'all Succeeded s',
  'per second',
  'writes each',
  'Events each',
  'reads each',
  'engine CPU ms each',
  'cluster CPU ms each',
  'engine peak MiB',
];
const summary: (string | number)[][] = [];
for (const size of SIZES) {
  const bench = await startCluster();
  try {
    if (summary.length === 0) {
      say(
        `kubernetes: one solution, ${TARGETS} targets, from the first apply until all instances are Succeeded`,
      );
      describeMachine(`API server ${bench.version}, etcd (fsync on)`);
    }
    await declareTargets(bench);
    const converged = await phase(bench, 'converge', size, () => applyInstances(bench, size));
    const { peakRss } = await bench.usage();
    summary.push([size, converged.seconds, ...costs(converged), peakRss]);
    if (size !== SIZES.at(-1)) continue;
    table(HEAD, summary);
    await allThatFollows(bench, size, converged);
  } finally {
    await bench.stop();
  }
}

async function allThatFollows(bench: BenchCluster, size: number, converged: Phase): Promise<void> {
  const idle = await phase(bench, `idle, ${IDLE_S} s`, size, () => delay(IDLE_S * 1000));
  const changed = await phase(bench, 'the solution changes', size, () => changeSolution(bench, size));
  await bench.engine.stop();
  // Counted from here: what the new process has used, all of it.
  const restarted = await phase(bench, 'restart', size, () => restart(bench));
  const calls = await bench.providerCalls();
  const deleted = await phase(bench, 'all are deleted', size, () => deleteAll(bench, size));
  const phases = [converged, idle, changed, restarted, deleted];
  table(
    ['phase', 's', 'writes each', 'Events each', 'reads each', 'engine CPU ms each', 'cluster CPU ms each'],
    phases.map((it) => {
      const [, ...rest] = costs(it);
      return [it.what, it.seconds, ...rest];
    }),
  );
  say(
    `Provider calls of the restart: ${calls}. Memory of the engine at the end: ${mib(await bench.usage())}`,
  );
  const kinds = [...new Set(phases.flatMap(({ requests }) => [...requests.keys()]))].sort();
  table(
    ['requests of the engine', ...phases.map(({ what }) => what)],
    kinds.map((kind) => [kind, ...phases.map(({ requests }) => requests.get(kind) ?? 0)]),
  );
}

async function phase(
  bench: BenchCluster,
  what: string,
  count: number,
  work: () => Promise<unknown>,
): Promise<Phase> {
  await bench.audit.forget();
  const pid = bench.engine.pid;
  const before = await bench.usage();
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  // What belongs to it and comes a little later is counted with it.
  if (!what.startsWith('idle')) await delay(10_000);
  const after = await bench.usage();
  const requests = requestsOfEngine(await bench.audit.events());
  const engineBefore = bench.engine.pid === pid ? before.engineCpu : 0;
  return {
    what,
    count,
    seconds,
    engineCpu: after.engineCpu - engineBefore,
    clusterCpu: after.clusterCpu - before.clusterCpu,
    requests,
  };
}

/** Per second; writes, Events, reads, milliseconds of the engine and of the cluster for each. */
function costs({ count, seconds, engineCpu, clusterCpu, requests }: Phase): number[] {
  const sum = (of: (what: string) => boolean): number =>
    [...requests].reduce((total, [what, times]) => (of(what) ? total + times : total), 0);
  // The Lease is renewed whatever happens.
  const ours = (what: string): boolean => !/^watch | (leases|events)$/.test(what);
  return [
    count / seconds,
    sum((what) => ours(what) && isWrite(what)) / count,
    sum((what) => what.endsWith(' events')) / count,
    sum((what) => ours(what) && !isWrite(what)) / count,
    (engineCpu / count) * 1000,
    (clusterCpu / count) * 1000,
  ];
}

function collection({ namespace }: BenchCluster, plural: keyof typeof PATHS): string {
  return `/apis/${PATHS[plural]}/v1/namespaces/${namespace}/${plural}`;
}

async function declareTargets(bench: BenchCluster): Promise<void> {
  const { api } = bench.plane.cluster;
  await api.call('POST', collection(bench, 'solutions'), solution(1));
  const binding = { role: 'instance', provider: 'providers.target.mock', config: {} };
  const all = watched(bench, 'targets', TARGETS, ({ status }) => status === 'Succeeded');
  const applied = forEach(TARGETS, (i) =>
    api.call('POST', collection(bench, 'targets'), {
      ...object('Target', `target-${i}`),
      spec: { topologies: [{ bindings: [binding] }] },
    }),
  );
  await Promise.all([applied, all]);
}

async function applyInstances(bench: BenchCluster, size: number): Promise<void> {
  const all = watched(bench, 'instances', size, ({ status }) => status === 'Succeeded');
  const applied = forEach(size, (i) =>
    bench.plane.cluster.api.call('POST', collection(bench, 'instances'), {
      ...object('Instance', `app-${i}`),
      spec: { solution: 'bench', target: { name: `target-${i % TARGETS}` } },
    }),
  );
  await Promise.all([applied, all]);
}

async function changeSolution(bench: BenchCluster, size: number): Promise<void> {
  const { api } = bench.plane.cluster;
  const { items } = await api.call<{ items: KubernetesObject[] }>('GET', collection(bench, 'instances'));
  const before = new Map(items.map(({ metadata, status }) => [metadata.name, hashIn(status)]));
  const all = watched(bench, 'instances', size, (status, name) => {
    return status.status === 'Succeeded' && status.deploymentHash !== before.get(name);
  });
  const applied = api.call('PATCH', `${collection(bench, 'solutions')}/bench`, { spec: solution(2).spec });
  await Promise.all([applied, all]);
}

async function restart(bench: BenchCluster): Promise<void> {
  await bench.engine.begin();
}

async function deleteAll(bench: BenchCluster, size: number): Promise<void> {
  const gone = removed(bench, size);
  const { api } = bench.plane.cluster;
  await Promise.all([
    gone,
    forEach(size, (i) => api.call('DELETE', `${collection(bench, 'instances')}/app-${i}`)),
  ]);
}

/** Waits, by a watch, until as many objects have a status as wished. */
async function watched(
  bench: BenchCluster,
  plural: 'targets' | 'instances',
  count: number,
  holds: (status: Status, name: string) => boolean,
): Promise<void> {
  const done = new Set<string>();
  await following(bench, plural, ({ object: { metadata, status } }) => {
    if (holds(status ?? {}, metadata.name)) done.add(metadata.name);
    return done.size >= count;
  });
}

async function removed(bench: BenchCluster, count: number): Promise<void> {
  let gone = 0;
  await following(bench, 'instances', ({ type }) => {
    if (type === 'DELETED') gone += 1;
    return gone >= count;
  });
}

async function following(
  bench: BenchCluster,
  plural: 'targets' | 'instances',
  isOver: (event: { type: string; object: KubernetesObject }) => boolean,
): Promise<void> {
  const { api } = bench.plane.cluster;
  const path = collection(bench, plural);
  const end = new AbortController();
  const signal = AbortSignal.any([end.signal, AbortSignal.timeout(DEADLINE_MS)]);
  let { resourceVersion } = (await api.call<{ metadata: { resourceVersion: string } }>('GET', path)).metadata;
  for (;;) {
    for await (const event of api.watch(path, resourceVersion, signal)) {
      if (event.type === 'ERROR') throw new Error('the watch has expired');
      resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
      if (isOver(event)) return end.abort();
    }
  }
}

function object(
  kind: string,
  name: string,
): { kind: string; apiVersion: string; metadata: { name: string } } {
  const group = kind === 'Target' ? PATHS.targets : PATHS.instances;
  return { apiVersion: `${group}/v1`, kind, metadata: { name } };
}

function solution(version: number): { spec: object } {
  const component = { name: 'web', type: 'container', properties: { image: `bench:${version}` } };
  return { ...object('Solution', 'bench'), spec: { components: [component] } };
}

function hashIn(status: unknown): string | undefined {
  return (status as Status | undefined)?.deploymentHash;
}

function mib({ rss, peakRss }: { rss: number; peakRss: number }): string {
  return `${rss.toFixed(0)} MiB (peak ${peakRss.toFixed(0)} MiB)`;
}
