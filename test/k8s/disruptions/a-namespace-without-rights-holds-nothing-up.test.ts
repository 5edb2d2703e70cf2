import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { request } from 'undici';
import { describeKubernetes } from '../../support/control-plane/index.js';
import type { PolicyRule } from '../../support/control-plane/cluster.js';
import type { Kubectl } from '../../support/control-plane/kubectl.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { instance, Person, solution, target } from '../../support/kubernetes-flow.js';
import { KubernetesProcess } from '../../support/kubernetes-process.js';
import { ScriptWorld } from '../../support/script-world.js';

vi.setConfig({ testTimeout: 240_000, hookTimeout: 180_000 });

const RBAC = 'rbac.authorization.k8s.io';
const ACCOUNT = 'engine';
/** In each namespace; wider than the chart's where that makes no difference here. */
const RIGHTS: PolicyRule[] = [
  {
    apiGroups: ['fabric.symphony', 'solution.symphony', 'engine.symphony', 'coordination.k8s.io'],
    resources: ['*'],
    verbs: ['*'],
  },
  { apiGroups: [''], resources: ['secrets'], verbs: ['get', 'create'] },
  { apiGroups: ['events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
];
/** All but to read what holds instances together: enough to deploy, if one did not look. */
const SOME_RIGHTS: PolicyRule[] = [
  { apiGroups: ['fabric.symphony', 'engine.symphony'], resources: ['*'], verbs: ['*'] },
  {
    apiGroups: ['solution.symphony'],
    resources: ['instances', 'instances/status', 'solutions'],
    verbs: ['*'],
  },
];
/** All but to read what was posted: who does not know of a post takes what it has deployed for left behind. */
const NO_POSTED: PolicyRule[] = [
  ...RIGHTS.map((rule) => ({
    ...rule,
    apiGroups: (rule.apiGroups ?? []).filter((group) => group !== 'engine.symphony'),
  })),
  {
    apiGroups: ['engine.symphony'],
    resources: ['ledgers', 'runhistories', 'componentreports'],
    verbs: ['*'],
  },
];
const POLL = { timeout: 100_000, interval: 200 };
/** In the log, at the beginning of a term. */
const WITHOUT = 'The engine has no rights in namespaces that it serves';

describeKubernetes('a served namespace without rights', (cluster) => {
  let world: ScriptWorld;
  let engine: KubernetesProcess;
  let kubectl: Kubectl;
  /** Where the engine lives, and has its rights all the time. */
  let here: Person;
  /** Where it has them at times. */
  let there: Person;

  beforeAll(async () => {
    await installCustomResources(cluster());
    world = await ScriptWorld.make();
    here = new Person(cluster(), await cluster().createNamespace('here'));
    there = new Person(cluster(), await cluster().createNamespace('there'));
    kubectl = cluster().kubectlAs(await cluster().serviceAccount(here.namespace, ACCOUNT, RIGHTS));
    const metadata = { name: ACCOUNT };
    await cluster().api.call('POST', pathOf('roles'), { metadata, rules: RIGHTS });
    engine = await KubernetesProcess.start({
      kubeconfig: kubectl.kubeconfigFile,
      namespaces: [here.namespace, there.namespace],
      args: [world.flag, '--reconcile-min-interval=1s'],
    });
  });
  afterAll(async () => {
    await engine.kill();
    kubectl.close();
    await world.dispose();
  });

  const pathOf = (plural: string): string => `/apis/${RBAC}/v1/namespaces/${there.namespace}/${plural}`;
  const grant = (): Promise<unknown> =>
    cluster().api.call('POST', pathOf('rolebindings'), {
      metadata: { name: ACCOUNT },
      roleRef: { apiGroup: RBAC, kind: 'Role', name: ACCOUNT },
      subjects: [{ kind: 'ServiceAccount', namespace: here.namespace, name: ACCOUNT }],
    });
  const revoke = (): Promise<unknown> => cluster().api.call('DELETE', `${pathOf('rolebindings')}/${ACCOUNT}`);

  const allow = (rules: readonly PolicyRule[]): Promise<unknown> =>
    cluster().api.call('PATCH', `${pathOf('roles')}/${ACCOUNT}`, { rules });

  const parts = (name: string): object[] => [target(name, world), solution(name), instance(name)];
  async function deployed(person: Person, ...names: string[]): Promise<void> {
    await person.apply(...names.flatMap(parts));
    await person.ready(...names.map((name) => `instance/${name}`));
    expect(await world.deployed()).toEqual(expect.arrayContaining(names));
  }
  /** What was done for these instances, in order. */
  async function doings(...names: string[]): Promise<string[]> {
    const notes = (await world.notes()).filter((note) => names.includes(note.instance));
    return notes
      .filter(({ what, operation }) => what === 'end' && operation !== 'get')
      .map((note) => `${note.operation} ${note.instance}`);
  }
  /** Everything of ours in the other namespace, each with its version. */
  const objectsThere = (): Promise<string> =>
    there.kubectl(
      'get',
      'targets,solutions,instances,ledgers,runhistories,posteddeployments',
      '-o',
      'jsonpath={range .items[*]}{.kind}/{.metadata.name}@{.metadata.resourceVersion} {end}',
    );
  async function readiness(): Promise<{ status: number; text: string }> {
    const { statusCode, body } = await request(`${engine.url}/readyz`);
    return { status: statusCode, text: await body.text() };
  }
  const saysWhere = (): RegExp => new RegExp(`has no rights in ${there.namespace}`);
  const warnings = (): number => engine.output.split(WITHOUT).length - 1;
  /** It has found its rights, and leads with them. */
  async function takenIn(): Promise<void> {
    await expect.poll(() => engine.output, POLL).toContain(`rights in the namespace ${there.namespace} now`);
    await expect.poll(readiness, POLL).toMatchObject({
      status: 200,
      text: expect.stringMatching(/This replica leads/) as string,
    });
    expect((await readiness()).text).not.toMatch(saysWhere());
  }

  test('the others are worked in, it is told which one is not, and what is in it is left alone', async () => {
    await deployed(here, 'first');
    expect(await readiness()).toEqual({
      status: 200,
      text: expect.stringMatching(saysWhere()) as string,
    });
    expect(warnings()).toBe(1);
    expect(engine.output).toContain(`"namespaces":["${there.namespace}"]`);
    expect(engine.output).not.toMatch(/Warning:/);
    await there.apply(...parts('other'), ...parts('leaving'));
    const before = await objectsThere();
    await deployed(here, 'second');
    expect(await doings('other', 'leaving')).toEqual([]);
    expect(await objectsThere()).toBe(before);
  });

  test('with some of the rights it is seen, and left alone all the same', async ({ skip }) => {
    // A cluster that is not ours does not show what is watched.
    skip(cluster().access.auditLog === undefined);
    const log = await cluster().auditLog();
    await allow(SOME_RIGHTS);
    await grant();
    const watched = async (): Promise<unknown[]> =>
      (await log.events(`:${here.namespace}:${ACCOUNT}"`))
        .filter(({ verb, responseStatus }) => verb === 'watch' && responseStatus?.code === 200)
        .filter(({ objectRef }) => objectRef?.namespace === there.namespace)
        .map(({ objectRef }) => objectRef?.resource);
    const seen = ['targets', 'instances', 'solutions', 'ledgers'];
    await expect.poll(watched, POLL).toEqual(expect.arrayContaining(seen));
    await there.kubectl('annotate', 'instance/other', 'symphony/suspend=true');
    const before = await objectsThere();
    await here.apply(solution('second', 2));
    await expect.poll(() => doings('second'), POLL).toEqual(['apply second', 'apply second']);
    expect(await doings('other', 'leaving')).toEqual([]);
    expect(await objectsThere()).toBe(before);
    expect((await readiness()).text).toMatch(saysWhere());
    await there.kubectl('annotate', 'instance/other', 'symphony/suspend-');
    await revoke();
    await allow(RIGHTS);
  });

  test('with rights it is taken in without a restart, once, and nothing is done again in the others', async () => {
    const { pid } = engine;
    await grant();
    await there.ready('instance/other', 'instance/leaving');
    await takenIn();
    expect(engine.pid).toBe(pid);
    expect((await doings('other', 'leaving')).toSorted()).toEqual(['apply leaving', 'apply other']);
    expect(await doings('first')).toEqual(['apply first']);
  });

  test('a new process that has lost them does not touch it, and goes on where the rights are back', async () => {
    await revoke();
    await engine.kill();
    await there.apply(solution('other', 2));
    await there.kubectl('delete', '--wait=false', 'instance/leaving');
    const [before, done] = [await objectsThere(), await doings('other', 'leaving')];
    await engine.begin();
    await deployed(here, 'third');
    await here.apply(solution('first', 2));
    await expect.poll(() => doings('first'), POLL).toEqual(['apply first', 'apply first']);
    expect(await readiness()).toEqual({
      status: 200,
      text: expect.stringMatching(saysWhere()) as string,
    });
    expect(await doings('other', 'leaving')).toEqual(done);
    expect(await objectsThere()).toBe(before);

    await grant();
    await there.kubectl('wait', '--for=delete', '--timeout=100s', 'instance/leaving');
    await expect.poll(() => doings('other'), POLL).toEqual(['apply other', 'apply other']);
    expect(await doings('leaving')).toEqual(['apply leaving', 'remove leaving']);
  });

  test('a new term of a process that has lost them goes by what it may read, not by what it has seen', async () => {
    await deployed(there, 'late');
    await revoke();
    const [before, warned] = [await objectsThere(), warnings()];
    const lease = `/apis/coordination.k8s.io/v1/namespaces/${here.namespace}/leases/symphony-engine`;
    await cluster().api.call('PATCH', lease, { spec: { holderIdentity: '' } });
    await expect.poll(warnings, POLL).toBe(warned + 1);
    await deployed(here, 'fourth');
    await there.apply(solution('late', 2));
    await here.apply(solution('fourth', 2));
    await expect.poll(() => doings('fourth'), POLL).toHaveLength(2);
    expect(await doings('late')).toEqual(['apply late']);
    expect((await objectsThere()).split(' ').filter((each) => !before.includes(each))).toEqual([
      expect.stringMatching(/^Solution\/late@/),
    ]);
    await grant();
    await expect.poll(() => doings('late'), POLL).toEqual(['apply late', 'apply late']);
    expect(await doings('other')).toEqual(['apply other', 'apply other']);
    expect(await world.overlaps()).toEqual([]);
  });

  test('without the right to what is posted it is left alone as well', async () => {
    await allow(NO_POSTED);
    await engine.kill();
    const warned = warnings();
    await there.apply(solution('late', 3));
    await engine.begin();
    await deployed(here, 'fifth');
    expect(warnings()).toBeGreaterThan(warned);
    expect(await doings('late')).toEqual(['apply late', 'apply late']);
    await allow(RIGHTS);
    await expect.poll(() => doings('late'), POLL).toHaveLength(3);
  });

  test('all of it can be removed in the end', async () => {
    await Promise.all([here, there].map((person) => person.delete('instances,targets', '--all')));
    expect(await world.deployed()).toEqual([]);
    await Promise.all([here, there].map(({ namespace }) => cluster().removeNamespace(namespace)));
  });
});
