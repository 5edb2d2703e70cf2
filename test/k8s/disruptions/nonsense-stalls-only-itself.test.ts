import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { describeControlPlane } from '../../support/control-plane/index.js';
import { installCustomResources } from '../../support/custom-resources.js';
import { instance, manifest, solution, type SymphonyObject } from '../../support/kubernetes-flow.js';
import { loosened } from './definitions.js';
import { NONSENSE, type Plural } from './nonsense.js';
import { POLL, Scene } from './scene.js';

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 });

const GROUPS = { targets: 'fabric.symphony', solutions: 'solution.symphony', instances: 'solution.symphony' };
/** They were well before. */
const SPOILED = ['spoiled', 'emptied'];
const PLURALS = Object.keys(GROUPS) as Plural[];

/** Instances that are stalled since they are nonsense, or need what is. `null` is as if it was left out. */
const STALLED: Readonly<Record<string, string>> = {
  ...invalid(Object.keys(NONSENSE.instances)),
  ...invalid(Object.keys(NONSENSE.solutions).map((name) => `uses-${name}`)),
  ...invalid(Object.keys(NONSENSE.targets).map((name) => `on-${name}`)),
  'uses-cyclic': 'DependencyCycle',
  'target-is-null': 'NoTargetMatched',
  'on-topologies-are-null': 'RoleNotOffered',
  spoiled: 'InvalidSpec',
  emptied: 'EmptyDeployment',
};

function invalid(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, 'InvalidSpec']));
}

// Somebody takes the rules out of the definitions, what comes in then is nonsense, and the rules come back.
describeControlPlane('with definitions that were loosened', (plane) => {
  let scene: Scene;
  let pid: number | undefined;

  beforeAll(async () => {
    await installCustomResources(plane().cluster);
    const namespace = await plane().cluster.createNamespace('nonsense');
    scene = await Scene.begin(plane().cluster, namespace);
    ({ pid } = scene.engine);
    await scene.me.apply(zoned('well'), solution('well'), instance('well'));
    await scene.me.apply(instance('selecting', { solution: 'well', target: { selector: { zone: 'a' } } }));
    await scene.me.ready('instance/well', 'instance/selecting');
    for (const name of SPOILED) await scene.deployed(name);
  });
  afterAll(() => scene.end());

  /** A target that can be selected. */
  const zoned = (name: string, zone = 'a'): object =>
    manifest('targets', name, { properties: { zone }, topologies: scene.world.topologies });

  const put = (plural: Plural, name: string, spec: unknown, query = ''): Promise<unknown> => {
    const kind = { targets: 'Target', solutions: 'Solution', instances: 'Instance' }[plural];
    const path = `/apis/${GROUPS[plural]}/v1/namespaces/${scene.me.namespace}/${plural}`;
    const body = { apiVersion: `${GROUPS[plural]}/v1`, kind, metadata: { name }, spec };
    return scene.cluster.api.call('POST', `${path}${query}`, body);
  };

  /** Why objects are stalled, by their names. */
  const stalled = async (plural: Plural): Promise<Record<string, string>> => {
    const path = `/apis/${GROUPS[plural]}/v1/namespaces/${scene.me.namespace}/${plural}`;
    const { items } = await scene.cluster.api.call<{ items: SymphonyObject[] }>('GET', path);
    const isStalled = ({ status }: SymphonyObject): boolean =>
      status?.conditions?.some(({ type, status: holds }) => type === 'Stalled' && holds === 'True') ?? false;
    return Object.fromEntries(
      items.filter(isStalled).map(({ metadata, status }) => [metadata.name, status?.reason ?? '']),
    );
  };

  /** Everything that the engine is for goes on beside the nonsense. */
  async function othersConverge(version: number): Promise<void> {
    const before = await scene.calls('selecting', 'apply');
    await scene.me.apply(solution('well', version));
    await expect.poll(() => scene.calls('selecting', 'apply'), POLL).toBe(before + 1);
    await scene.me.ready('instance/well', 'instance/selecting');
    await scene.deployed(`fresh-${version}`);
    await scene.me.delete(`instance/fresh-${version}`);
    expect(await scene.isThere(`fresh-${version}`)).toBe(false);
  }

  test('nonsense stalls itself and what needs it, with a reason; all else goes on; corrected, it is well', async () => {
    const { me } = scene;
    const definitions = [
      'targets.fabric.symphony',
      'solutions.solution.symphony',
      'instances.solution.symphony',
    ];
    const restore = await loosened(scene.cluster, definitions);
    for (const plural of PLURALS) {
      for (const [name, spec] of Object.entries(NONSENSE[plural])) await put(plural, name, spec);
    }
    for (const name of Object.keys(NONSENSE.solutions)) {
      await put('instances', `uses-${name}`, { solution: name, target: { name: 'well' } });
    }
    for (const name of Object.keys(NONSENSE.targets)) {
      await put('instances', `on-${name}`, { solution: 'well', target: { name } });
    }
    await me.kubectl('patch', 'instance/spoiled', '--type=merge', '--patch={"spec":{"solution":[null]}}');
    await me.kubectl('patch', 'solution/emptied', '--type=merge', '--patch={"spec":null}');

    await expect.poll(() => stalled('instances'), POLL).toEqual(STALLED);
    const targets = Object.keys(NONSENSE.targets).filter((name) => name !== 'topologies-are-null');
    await expect.poll(() => stalled('targets'), POLL).toEqual(invalid(targets));
    await othersConverge(2);

    // The rules are back, and with them a status can still be written on what does not keep them.
    await restore();
    const words = (): Promise<string> =>
      put('instances', 'no', { solution: 5 }, '?dryRun=All').then(() => '', String);
    await expect.poll(words, POLL).toMatch(/spec.solution/);
    await othersConverge(3);
    await scene.isUnharmed(pid);

    // Whoever leads next begins with all of it.
    await scene.engine.kill();
    await scene.engine.begin();
    await othersConverge(4);
    for (const name of SPOILED) {
      expect([name, await scene.calls(name, 'remove'), await scene.isThere(name)]).toEqual([name, 0, true]);
    }

    await me.apply(instance('spoiled'), solution('emptied'));
    await me.ready('instance/spoiled', 'instance/emptied');
    for (const name of ['parameters-are-a-list', 'policy-is-a-number']) {
      const path = `/apis/solution.symphony/v1/namespaces/${me.namespace}/instances/${name}`;
      const spec = { solution: 'well', target: { name: 'well' } };
      await scene.cluster.api.call(
        'PATCH',
        path,
        [{ op: 'replace', path: '/spec', value: spec }],
        'application/json-patch+json',
      );
      await me.ready(`instance/${name}`);
      expect(await scene.isThere(name)).toBe(true);
    }
    await me.apply(solution('components-are-a-map'), zoned('bindings-are-a-text', 'b'));
    await me.ready('instance/uses-components-are-a-map', 'instance/on-bindings-are-a-text');
    // What is not even an object cannot be corrected: the server compares it with what it was. It can be deleted.
    await me.delete(
      'instance/no-object',
      'instance/target-is-null',
      'target/no-object',
      'solution/no-object',
    );
    expect(scene.engine.output).not.toMatch(/"level":(50|60)/);
  });
});
