import { expect, it, onTestFinished } from 'vitest';
import {
  json,
  ScriptedServer,
  statusBody,
  type Answer,
} from '../../../../test/k8s/client/scripted-server.js';
import { ApiClient, fixedAccess } from '../client/index.js';
import {
  LEDGER_INDEXES,
  LEDGER_TYPE,
  type LedgerObject,
  type LedgerReflector,
} from '../ledger/ledger-object.js';
import { typeOf, type CustomObject } from '../objects/custom-object.js';
import { Reflector, type Change } from '../reflector/index.js';
import { Reach, type LateNamespace } from './reach.js';

const FORBIDDEN = { code: 'Forbidden', status: 403 };
const HERE = 'here';
const THERE = 'there';
type Means = 'targets' | 'ledgers';

/** An engine's view of two namespaces, on a server that refuses what a test says at the moment. */
async function view(...refused: `${string}/${Means}`[]): Promise<{
  server: ScriptedServer;
  reach: Reach;
  targets: Reflector<CustomObject<'Target'>>;
  ledgers: LedgerReflector;
  refused: Set<string>;
  failing: Set<string>;
}> {
  const now = new Set<string>(refused);
  const failing = new Set<string>();
  const answer: Answer = ({ url }, response) => {
    const [, place = ''] = /namespaces\/([^?]+)/.exec(url) ?? [];
    if (now.has(place)) return json(response, 403, statusBody(403, 'Forbidden'));
    if (failing.has(place)) return json(response, 500, statusBody(500, 'InternalError'));
    if (url.includes('watch=true')) return response.writeHead(200).flushHeaders();
    const [namespace = '', plural = ''] = place.split('/');
    const metadata = { namespace, name: 'x', uid: place, resourceVersion: '1' };
    const spec = { owner: { kind: 'Target', namespace, name: 'x', uid: 'x' }, targetUid: 'x', epoch: 1 };
    const item = plural === 'ledgers' ? { metadata, spec } : { metadata };
    json(response, 200, { items: [item], metadata: { resourceVersion: '10' } });
  };
  const server = await ScriptedServer.start(answer);
  const client = new ApiClient({ access: fixedAccess(server.url) });
  const namespaces = [HERE, THERE];
  const timing = { backoff: { firstMs: 20, mostMs: 50 }, healthyMs: 0 };
  const shared = { client, namespaces, timing };
  const targets = new Reflector({ ...shared, type: typeOf('Target') });
  const ledgers: LedgerReflector = new Reflector({ ...shared, type: LEDGER_TYPE, indexes: LEDGER_INDEXES });
  for (const reflector of [targets, ledgers]) reflector.start();
  onTestFinished(async () => {
    server.cutAll();
    await Promise.all([targets.stop(), ledgers.stop()]);
  });
  const reach = new Reach({ client, pictures: () => [targets, ledgers], ledgers, namespaces, lateMs: 50 });
  return { server, reach, targets, ledgers, refused: now, failing };
}

const { signal } = new AbortController();

it.each<Means>(['targets', 'ledgers'])('without its %s nothing is decided in a namespace', async (means) => {
  const { reach, ledgers, refused } = await view(`${THERE}/${means}`);
  expect(await reach.survey(signal)).toEqual([
    { namespace: THERE, error: expect.objectContaining(FORBIDDEN) as Error },
  ]);
  expect([reach.has(HERE), reach.has(THERE), reach.namespaces]).toEqual([true, false, [HERE]]);
  expect(await reach.gained(signal)).toBeUndefined();
  // Also when it is seen meanwhile: the term has begun without it.
  refused.clear();
  await expect.poll(() => ledgers.list(THERE)).toHaveLength(1);
  expect(reach.has(THERE)).toBe(false);
  await expect.poll(() => reach.gained(signal)).toBe(THERE);
  expect(await reach.survey(signal)).toEqual([]);
  expect(reach.has(THERE)).toBe(true);
});

it('what was seen of a namespace in an earlier term does not bring it into reach, nor does its watch', async () => {
  const { reach, ledgers, refused } = await view();
  expect(await reach.survey(signal)).toEqual([]);
  await expect.poll(() => ledgers.follows(THERE)).toBe(true);
  refused.add(`${THERE}/ledgers`);
  expect(await reach.survey(signal)).toMatchObject([{ namespace: THERE }]);
  // The watch is still open; a term that would begin now could not read either.
  expect(ledgers.follows(THERE)).toBe(true);
  expect(await reach.gained(signal)).toBeUndefined();
});

it('a picture whose right was taken away after it was seen is an old one: nothing is decided by it', async () => {
  const { server, reach, targets, refused } = await view();
  expect(await reach.survey(signal)).toEqual([]);
  refused.add(`${THERE}/targets`);
  server.cutAll();
  await expect.poll(() => targets.problemIn(THERE)).toMatchObject(FORBIDDEN);
  expect(await reach.survey(signal)).toMatchObject([{ namespace: THERE, error: FORBIDDEN }]);
  expect(targets.list(THERE)).toHaveLength(1);
  expect([reach.has(HERE), reach.has(THERE)]).toEqual([true, false]);
  expect(await reach.gained(signal)).toBeUndefined();
  refused.clear();
  await expect.poll(() => reach.gained(signal)).toBe(THERE);
  expect(targets.problemIn(THERE)).toBeUndefined();
  expect(await reach.survey(signal)).toEqual([]);
});

it('a server that fails for one namespace is waited for, and it is said for which and why', async () => {
  const { reach, failing } = await view();
  failing.add(`${THERE}/targets`);
  const told: LateNamespace[][] = [];
  const surveyed = reach.survey(signal, (late) => told.push(late));
  await expect.poll(() => told.at(-1)?.[0]?.problem).toMatch(/list targets.*status 500/);
  expect(told.at(-1)).toMatchObject([{ namespace: THERE }]);
  failing.clear();
  expect(await surveyed).toEqual([]);
  const { length } = told;
  await new Promise((resolve) => setTimeout(resolve, 150));
  expect(told).toHaveLength(length);
});

it('what is out of reach is neither listed nor told of', async () => {
  const { reach, ledgers } = await view(`${THERE}/targets`);
  await reach.survey(signal);
  const within = reach.within(ledgers);
  await expect.poll(() => ledgers.size).toBe(2);
  expect(within.list().map(({ metadata }) => metadata.namespace)).toEqual([HERE]);
  const told: Change<LedgerObject>[] = [];
  within.onChange((change) => told.push(change));
  expect(told.map(({ key }) => key.namespace)).toEqual([HERE]);
});

it('without rights in any namespace there is nothing to lead', async () => {
  const { reach } = await view(`${HERE}/ledgers`, `${THERE}/targets`);
  await expect(reach.survey(signal)).rejects.toMatchObject(FORBIDDEN);
});

it('a namespace that cannot be read for any other reason is no reason to begin without it', async () => {
  const { reach, ledgers, failing } = await view();
  await ledgers.whenSynced({ deadlineMs: 10_000 });
  failing.add(`${THERE}/ledgers`);
  await expect(reach.survey(signal)).rejects.toMatchObject({ status: 503 });
  expect(reach.has(THERE)).toBe(true);
  const over = new AbortController();
  const surveyed = expect(reach.survey(over.signal)).rejects.toThrow('the term is over');
  over.abort(new Error('the term is over'));
  await surveyed;
});
