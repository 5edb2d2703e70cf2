import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { everythingStored } from '../support/behind-the-engine.js';
import { mockTopology, type Wire } from '../support/engine.js';
import { isElsewhere, openPlace, type EnginePlace } from '../support/engine-place.js';
import { EngineProcess } from '../support/engine-process.js';
import { TelltaleScripts } from '../support/telltale-scripts.js';

const ALL_MS = 120_000;
const MASK = '•••';

/** Secrets look different inside JSON, in URLs and in base64. */
const canary = (name: string): string => `${name}-"q\\${randomBytes(12).toString('hex')}`;
const FIRST = canary('first');
const ROTATED = canary('rotated');
const FROM_ENVIRONMENT = canary('environment');

const canaries = [FIRST, ROTATED, FROM_ENVIRONMENT];

let root: string;
let place: EnginePlace;
let engine: EngineProcess;
let scripts: TelltaleScripts;
/** Every answer to a request of these tests. */
const answers: string[] = [];

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'symphony-secrets-'));
  await mkdir(join(root, 'tmp'));
  scripts = await TelltaleScripts.make(join(root, 'scripts'));
  place = await openPlace();
  await mkdir(join(root, 'secrets', place.namespace, 'db'), { recursive: true });
  engine = await EngineProcess.start({
    place,
    args: [
      '--log-level=trace',
      '--reconcile-min-interval=1s',
      `--secrets-folder=${join(root, 'secrets')}`,
      `--providers-script-allowed-folders=${scripts.folder}`,
      // Nobody is killed here: a machine that stands still for a moment is not to end the leader's term.
      ...(isElsewhere() ? ['--kubernetes-lease-seconds=60'] : []),
    ],
    env: { TMPDIR: join(root, 'tmp'), SYMPHONY_SECRET_WEB_TOKEN: FROM_ENVIRONMENT },
  });
});
afterAll(async () => {
  await engine.stop();
  await place.drop();
  await rm(root, { recursive: true, force: true });
});
beforeEach(async () => {
  await scripts.betray('not-at-all');
  await setSecret(FIRST);
});

const COMPONENT = {
  name: 'c',
  metadata: { note: '${{$secret(db,password)}}' },
  properties: {
    password: '${{$secret(db,password)}}',
    url: 'postgres://me:${{$secret(db,password)}}@db/x',
    nested: { list: ['${{$secret(db,password)}}', { token: '${{$secret(web,token)}}' }] },
  },
};

async function setSecret(value: string | undefined): Promise<void> {
  const file = join(root, 'secrets', place.namespace, 'db', 'password');
  if (value === undefined) return rm(file);
  await writeFile(file, `${value}\n`);
  await scripts.know(value);
}

async function ask<T = unknown>(
  method: string,
  path: string,
  body?: unknown,
): Promise<{ status: number; body: T; text: string }> {
  const answer = await engine.request<T>(method, path, body);
  answers.push(`${method} ${path}: ${answer.text}`);
  return answer;
}

async function deploy(name: string, config: Record<string, string> = {}): Promise<void> {
  await engine.target(name, { topologies: scripts.topologies(config) });
  await engine.solution(name, [COMPONENT]);
  await engine.instance(name, { solution: name, target: { name } });
}

/** Orders a run and waits until it has ended. */
async function run(name: string): Promise<void> {
  const lane = (): Promise<{ doneSeq: string; orderSeq: string }> =>
    engine.ok('GET', `/jobs/Instance/default/${name}`);
  const before = await lane();
  await ask('POST', `/solution/queue?instance=${name}`);
  await engine.until(
    `a run of ${name} to end`,
    async () => (Number((await lane()).doneSeq) > Number(before.orderSeq) ? true : undefined),
    lane,
  );
}

/** The answers of all GET routes, for each object and each run; and what stands beside the API. */
async function routes(): Promise<void> {
  for (const path of ['/metrics', '/healthz', '/readyz', '/openapi.json']) {
    const answer = await fetch(`${engine.url}${path}`, { headers: engine.authorization });
    expect([path, answer.status]).toEqual([path, 200]);
    const text = await answer.text();
    answers.push(...text.split('\n').map((line) => `GET ${path}: ${line}`));
  }
  const document = (await (await fetch(`${engine.url}/openapi.json`)).json()) as {
    paths: Record<string, object>;
  };
  const gets = Object.entries(document.paths).flatMap(([path, operations]) =>
    'get' in operations && path.startsWith('/v1alpha2') ? [path.slice('/v1alpha2'.length)] : [],
  );
  const names = [
    ...(await engine.ok<Wire[]>('GET', '/instances')),
    ...(await engine.ok<Wire[]>('GET', '/targets/registry')),
  ].map(({ metadata }) => metadata.name);
  for (const name of new Set(names)) {
    const runs = await ask<{ id: string }[]>('GET', `/instances/${name}/runs`);
    const ids = Array.isArray(runs.body) ? runs.body.map(({ id }) => id) : ['none'];
    expect(ids[0]).toBeDefined();
    for (const template of gets) {
      const path = template
        .replace('{name}', name)
        .replace('{kind}', 'Instance')
        .replace('{namespace}', 'default')
        .replace('{docType}', 'yaml');
      const query = template === '/solution/queue' ? `?instance=${name}` : '';
      for (const id of template.includes('{id}') ? ids : [''])
        await ask('GET', path.replace('{id}', id) + query);
    }
  }
}

async function files(): Promise<string> {
  const entries = await readdir(join(root, 'tmp'), { recursive: true, withFileTypes: true }).catch(() => []);
  const texts = entries
    .filter((entry) => entry.isFile())
    .map(
      // A script that ends meanwhile takes its files along.
      async (entry) =>
        `file ${entry.name}: ${await readFile(join(entry.parentPath, entry.name), 'utf8').catch(() => '')}`,
    );
  return (await Promise.all(texts)).join('\n');
}

function formsOf(secret: string): string[] {
  const base64 = Buffer.from(secret).toString('base64').replaceAll('=', '');
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    // As a JSON text inside a JSON text.
    JSON.stringify(JSON.stringify(secret).slice(1, -1)).slice(1, -1),
    encodeURIComponent(secret),
    base64,
    Buffer.from(secret).toString('base64url'),
    // Whatever was done to the rest of it.
    /[0-9a-f]{24}/.exec(secret)?.[0] ?? secret,
    // Whoever guesses could try: digests are keyed.
    ...['md5', 'sha1', 'sha256', 'sha512'].flatMap((algorithm) =>
      (['hex', 'base64'] as const).map((form) => createHash(algorithm).update(secret).digest(form)),
    ),
  ];
}

/** Looks for every secret in everything that the engine wrote, stored or answered. */
async function expectNoTrace(): Promise<void> {
  const secrets = canaries.flatMap(formsOf);
  const betrays = (text: string): boolean => secrets.some((secret) => text.includes(secret));
  await routes();
  const everything = [
    ...answers,
    ...[engine.output, await everythingStored(engine), await scripts.surroundings()].flatMap((text) =>
      text.split('\n'),
    ),
  ];
  expect(everything.filter(betrays)).toEqual([]);
  // A script that runs has its files; when it has ended they are gone.
  await engine.until(
    'no file to hold a secret',
    async () => (betrays(await files()) ? undefined : true),
    files,
  );
}

test(
  'deployed, planned, drifted, rotated and removed: the provider gets it, and nobody else',
  { timeout: ALL_MS },
  async () => {
    await deploy('whole', { note: '${{$secret(db,password)}}' });
    await engine.settled('instances', 'whole');
    expect(await scripts.received()).toContain(JSON.stringify(FIRST).slice(1, -1));
    expect(await scripts.received()).toContain(JSON.stringify(FROM_ENVIRONMENT).slice(1, -1));

    await scripts.lose('whole');
    expect((await ask('GET', '/instances/whole/plan')).text).toContain('"create"');
    await run('whole');
    await scripts.betray('in-a-report');
    await run('whole');

    await scripts.betray('not-at-all');
    await setSecret(ROTATED);
    const plan = await ask('GET', '/instances/whole/plan');
    expect(plan.text).toContain('"update"');
    expect(plan.text).toContain('"ValueChanged"');
    await run('whole');
    expect(await scripts.received()).toContain(JSON.stringify(ROTATED).slice(1, -1));
    await expectNoTrace();

    await ask('DELETE', '/instances/whole');
    await engine.gone('instances', 'whole');
    await expectNoTrace();
  },
);

test('rotated: the next periodic run notices, and nobody has to ask', { timeout: ALL_MS }, async () => {
  await engine.target('rotated', { topologies: scripts.topologies() });
  await engine.solution('rotated', [COMPONENT]);
  await engine.instance('rotated', {
    solution: 'rotated',
    target: { name: 'rotated' },
    reconciliationPolicy: { state: 'active', interval: '1s' },
  });
  await engine.settled('instances', 'rotated');
  const fresh = canary('fresh');
  canaries.push(fresh);
  await setSecret(fresh);
  await engine.until('the provider to get the new secret', async () =>
    (await scripts.received()).includes(JSON.stringify(fresh).slice(1, -1)) ? true : undefined,
  );
  await engine.until('the run to be recorded', async () => {
    const { text } = await ask('GET', '/instances/rotated/runs');
    return text.includes('"periodic"') ? true : undefined;
  });
  await expectNoTrace();
  await ask('DELETE', '/instances/rotated');
  await engine.gone('instances', 'rotated');
});

test.each(['in-words', 'in-base64', 'in-a-result', 'in-a-failed-report'] as const)(
  'a provider that fails and quotes it %s: what is told is masked',
  { timeout: ALL_MS },
  async (how) => {
    await scripts.betray(how);
    const name = `fails-${how}`;
    await deploy(name);
    const failed = await engine.settled('instances', name, 'Failed');
    expect(JSON.stringify(failed.status)).toContain(MASK);
    await ask('GET', `/instances/${name}/plan`);
    const posted = await ask('POST', '/solution/reconcile', {
      solutionName: 's',
      solution: { metadata: { name: 's' }, spec: { components: [COMPONENT] } },
      instance: { metadata: { name: `posted-${how}` }, spec: {} },
      targets: { t: { metadata: { name: 't' }, spec: { topologies: scripts.topologies() } } },
      assignments: { t: '{c}' },
    });
    expect([posted.status, posted.text]).toEqual([500, expect.stringContaining(MASK)]);

    await scripts.betray('not-at-all');
    await run(name);
    await engine.settled('instances', name);
    await scripts.betray(how);
    await ask('DELETE', `/instances/${name}`);
    await engine.until(
      'the removal to fail, or to have needed no look',
      async () => {
        const found = await engine.get('instances', name);
        return !found || JSON.stringify(found.status).includes(MASK) ? true : undefined;
      },
      () => engine.get('instances', name),
    );
    await expectNoTrace();
    await scripts.betray('not-at-all');
    await engine.request('POST', `/solution/queue?instance=${name}`);
    await engine.gone('instances', name);
  },
);

test(
  'a binding that cannot work because of it: the reason does not say what it is',
  { timeout: ALL_MS },
  async () => {
    await deploy('folder', { scriptFolder: '/nowhere/${{$secret(db,password)}}' });
    await deploy('engine', { scriptEngine: '${{$secret(db,password)}}' });
    await engine.target('mock', {
      topologies: mockTopology('mock', { latencyMs: '${{$secret(db,password)}}' }),
    });
    await engine.instance('mock', { solution: 'folder', target: { name: 'mock' } });
    for (const name of ['folder', 'engine', 'mock']) await engine.settled('instances', name, 'Failed');
    expect(JSON.stringify((await engine.get('instances', 'folder'))?.status)).toContain(MASK);
    await expectNoTrace();
  },
);

test(
  'a secret that is gone: components are removed without it; a binding that needs it waits and says so',
  { timeout: ALL_MS },
  async () => {
    await deploy('unbound');
    await deploy('bound', { note: '${{$secret(db,password)}}' });
    await engine.settled('instances', 'unbound');
    await engine.settled('instances', 'bound');

    await setSecret(undefined);
    await ask('DELETE', '/instances/unbound');
    await engine.gone('instances', 'unbound');
    await ask('DELETE', '/instances/bound');
    const stuck = await engine.until(
      'a reason',
      async () => {
        const found = await engine.get('instances', 'bound');
        return found?.status?.statusDetails?.includes('password') ? found : undefined;
      },
      () => engine.get('instances', 'bound'),
    );
    expect(stuck.metadata.deletionTimestamp).toBeDefined();
    await expectNoTrace();

    await setSecret(FIRST);
    await ask('POST', '/solution/queue?instance=bound');
    await engine.gone('instances', 'bound');
  },
);
