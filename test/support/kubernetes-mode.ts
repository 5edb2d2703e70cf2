import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'vitest';
import { chartAccount, type ChartAccount } from './chart-account.js';
import { missingPrograms, usesOwnKubeconfig } from './control-plane/assets.js';
import type { TestCluster } from './control-plane/cluster.js';
import { describeKubernetes, sharedCluster } from './control-plane/describe.js';
import { installCustomResources } from './custom-resources.js';
import type { Answer } from './engine-client.js';
import { runElsewhere, type EnginePlace } from './engine-place.js';
import { AppliedByKubectl, type KubectlKind } from './kubectl-way.js';
import type { RawRequest } from './raw-http.js';

const PASSWORD = 'for tests of acceptance';
/** Paths whose namespace is `default` when none is named. */
const OF_OBJECTS = /^\/(instances|targets|solutions|solutioncontainers|solution|jobs|plan|explain)\b/;
/** What the suite's expressions name: what is not granted by name must not be asked for. None of it is there. */
const READABLE = { secrets: ['a', 'db', 'web', 'none', 'not-there'], configMaps: ['not-there'] };
/** An engine that was killed keeps its Lease for a while. */
const LEADS_MS = 60_000;
const LOOK_MS = 20;

/** How a file of the suite reaches the engine; the rest is the same for all. */
export interface Way {
  /** What it writes of objects goes to the API server, by the real program or by the requests that it makes. */
  kubectl?: KubectlKind;
  /** It speaks to an engine that does not lead. */
  throughFollower?: boolean;
  /** It names namespaces that the engine has no rights in: what is forbidden there does not count. */
  namesOtherNamespaces?: boolean;
}

let cluster: Promise<TestCluster> | undefined;
let way: Way = {};

/** What the engines of one place share. */
interface Home {
  account: ChartAccount;
  /** As if all ran on one machine after another: what one left behind the next one finds. */
  dataDir: string;
}

/** Of the places that are open, by their namespaces. */
const homes = new Map<string, Home>();

/** The cluster of the places that this file has opened. */
export function clusterOfPlaces(): Promise<TestCluster> {
  cluster ??= sharedCluster().then(async (shared) => {
    await installCustomResources(shared);
    return shared;
  });
  return cluster;
}

/**
 * Runs a file of the acceptance suite in Kubernetes mode. Its tests and what they expect stay as they are: engines get a
 * namespace of their own in the shared cluster, which takes the place of `default`, and the rights of the chart there.
 * @param load imports the file
 */
export async function acceptanceInKubernetes(
  name: string,
  load: () => Promise<unknown>,
  chosen: Way = {},
): Promise<void> {
  await suiteInKubernetes(`acceptance: ${name}`, { [name]: load }, chosen);
}

/**
 * The same for several files, in one way.
 * @param files by their names
 */
export async function suiteInKubernetes(
  name: string,
  files: Readonly<Record<string, () => Promise<unknown>>>,
  chosen: Way = {},
): Promise<void> {
  if (missingPrograms() !== undefined && !usesOwnKubeconfig()) {
    describeKubernetes(name, () => it('runs', () => Promise.resolve()));
    return;
  }
  way = chosen;
  runElsewhere(openPlace);
  for (const [file, load] of Object.entries(files)) {
    describe(file, async () => {
      await load();
    });
  }
}

/** The namespace of an engine. */
export function namespaceOf(url: string): string {
  return url.replace(/^kubernetes:/, '');
}

async function openPlace(url: string | undefined): Promise<EnginePlace> {
  const shared = await clusterOfPlaces();
  const namespace = url === undefined ? await shared.createNamespace('acceptance') : namespaceOf(url);
  const home = homes.get(namespace) ?? (await makeHome(shared, namespace));
  homes.set(namespace, home);
  const { kubectl, throughFollower = false } = way;
  const applied = kubectl && new AppliedByKubectl(shared, kubectl);
  return {
    url: `kubernetes:${namespace}`,
    flags: {
      mode: 'k8s',
      dataDir: home.dataDir,
      'kubernetes.kubeconfig': home.account.kubeconfigFile,
      'kubernetes.namespaces': namespace,
      'kubernetes.leaseNamespace': namespace,
      'auth.adminPassword': PASSWORD,
      // The suite speaks as the engine's own users.
      'kubernetes.authentication': false,
    },
    flagsOfProcess: { 'kubernetes.leaseSeconds': 6 },
    password: PASSWORD,
    namespace,
    throughFollower,
    request: async (said, send) => {
      const here = { ...said, path: pathIn(namespace, said.path), body: bodyIn(namespace, said.body) };
      return asInDefault(namespace, await (applied ? applied.request(here, send) : send(here)));
    },
    raw: (request) => rawIn(namespace, request),
    serves: untilLed,
    drop: async () => {
      if (url !== undefined) return;
      homes.delete(namespace);
      await letAllGo(shared, namespace);
      const refused = await leaveHome(home, namespace);
      await shared.api.call('DELETE', `/api/v1/namespaces/${namespace}`);
      if (refused.length > 0) {
        throw new Error(`the chart lacks rights that the engine needs:\n${refused.join('\n')}`);
      }
    },
  };
}

async function makeHome(shared: TestCluster, namespace: string): Promise<Home> {
  const account = await chartAccount(shared, namespace, [namespace], { readable: READABLE });
  return { account, dataDir: await mkdtemp(join(tmpdir(), 'symphony-acceptance-')) };
}

/** @returns what the engines were forbidden although nothing of the test provoked it */
async function leaveHome({ account, dataDir }: Home, namespace: string): Promise<string[]> {
  const refused = await account.refused();
  await account.close();
  await rm(dataDir, { recursive: true, force: true });
  if (!way.namesOtherNamespaces) return refused;
  return refused.filter((request) => request.includes(`/namespaces/${namespace}/`));
}

/** Some routes are the leader's. */
async function untilLed(url: string): Promise<void> {
  const deadline = performance.now() + LEADS_MS;
  for (;;) {
    const text = await (await fetch(`${url}/readyz`)).text();
    if (/ leads \(term /.test(text)) return;
    if (performance.now() > deadline) throw new Error(`nobody leads: ${text}`);
    await delay(LOOK_MS);
  }
}

function pathIn(namespace: string, path: string): string {
  if (!OF_OBJECTS.test(path)) return path;
  const [given = '', query = ''] = path.split('?');
  const route = given.replace(/^(\/jobs\/\w+\/)default\//, `$1${namespace}/`);
  const parameters = new URLSearchParams(query);
  if ((parameters.get('namespace') ?? 'default') === 'default') parameters.set('namespace', namespace);
  return `${route}?${parameters.toString()}`;
}

function bodyIn(namespace: string, body: unknown): unknown {
  if (typeof body !== 'object' || body === null || !('metadata' in body)) return body;
  const { metadata } = body as { metadata: { namespace?: string } | null };
  const named = metadata?.namespace ?? 'default';
  return { ...body, metadata: { ...metadata, namespace: named === 'default' ? namespace : named } };
}

/** Garbage stays as it is, as far as it does not say `default`, or nothing, where a namespace should be. */
function rawIn(namespace: string, request: RawRequest): RawRequest {
  const { target, body } = request;
  const replaced =
    typeof body === 'string'
      ? body.replaceAll(/"(namespace|objectNamespace)":"default"/g, `"$1":"${namespace}"`)
      : body;
  // Byte for byte, whatever it is.
  const text = Buffer.from(target)
    .toString('latin1')
    .replace('/Instance/default/', `/Instance/${namespace}/`);
  const below = '/v1alpha2';
  const named =
    !text.startsWith(below) || !OF_OBJECTS.test(text.slice(below.length)) || /[?&]namespace|#/.test(text);
  const query = named ? '' : `${text.includes('?') ? '&' : '?'}namespace=${namespace}`;
  return { ...request, target: Buffer.from(text + query, 'latin1'), body: replaced };
}

function asInDefault(namespace: string, answer: Answer): Answer {
  const text = answer.text.replaceAll(namespace, 'default');
  if (text === answer.text) return answer;
  return { ...answer, text, body: typeof answer.body === 'string' ? text : JSON.parse(text) };
}

interface Named {
  items: { metadata: { name: string; finalizers?: string[] } }[];
}

/** Whoever stops an engine does not wait for what it deployed: nobody is there to take it away. */
async function letAllGo({ api }: TestCluster, namespace: string): Promise<void> {
  for (const kind of [
    'solution.symphony/v1/instances',
    'fabric.symphony/v1/targets',
    'engine.symphony/v1/ledgers',
    'engine.symphony/v1/posteddeployments',
  ]) {
    const [group, version, plural] = kind.split('/');
    const list = `/apis/${group}/${version}/namespaces/${namespace}/${plural}`;
    const held = (await api.call<Named>('GET', list)).items.filter(({ metadata }) => metadata.finalizers);
    for (const { metadata } of held) {
      // What goes by itself in this moment need not be let go.
      await api
        .call('PATCH', `${list}/${metadata.name}`, { metadata: { finalizers: null } })
        .catch(() => undefined);
    }
  }
}
