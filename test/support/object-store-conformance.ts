import {
  BODY_CLASSES,
  type DeployableKind,
  type ObjectKind,
  parseAs,
  type SpecByKind,
  type StoredObject,
} from '@symphony/model';
import { beforeEach, describe, expect, test } from 'vitest';
import {
  effectsOfWrite,
  type ObjectKey,
  type ObjectStore,
  type ObjectWrite,
  type WriteEffects,
} from '../../src/modules/state/index.js';

/** What the suite needs of an adapter. */
export interface ObjectStoreSubject {
  store: ObjectStore;
  /** Empty ones, in the order of lists. */
  namespaces: Namespaces;
  /** The stored orders of an object, in the same consistency as the store: has the write left an order? */
  isOrdered(key: ObjectKey<DeployableKind>): Promise<boolean>;
  /** Writes a status as the engine does after a run. */
  writeStatus(key: ObjectKey<DeployableKind>, status: object): Promise<void>;
  /** Enters something applied into the ledger of an owner, as a run does; the line that `orphan` has to answer for it. */
  applyComponent(owner: StoredObject): Promise<string>;
  /** Resolves when lists show every write that was answered before. */
  listed(): Promise<void>;
  /** Resolves when the engine has done its part for an object that was orphaned. */
  orphaned(key: ObjectKey<DeployableKind>): Promise<void>;
}

export type Namespaces = Readonly<Record<'home' | 'later' | 'last', string>>;

/** As the engine writes it after a run. */
const STATUS = {
  status: 'Failed',
  provisioningStatus: { operationId: 'o', status: 'Failed', error: {} },
  reason: 'TargetNotFound',
  observedGeneration: 1,
  lastModified: '2026-01-01T00:00:00.000Z',
  deployed: 0,
  targets: 1,
};

const NOTHING: WriteEffects = { orders: [], fanOuts: [] };
const nothing = (): WriteEffects => NOTHING;

/**
 * The guarantees of the ObjectStore port, for any adapter.
 * @param open answers a subject with an empty store; called once for each test
 */
export function objectStoreConformance(open: () => Promise<ObjectStoreSubject>): void {
  let subject: ObjectStoreSubject;
  let store: ObjectStore;
  beforeEach(async () => {
    subject = await open();
    ({ store } = subject);
  });

  const keyOf = <K extends ObjectKind>(kind: K, name: string): ObjectKey<K> => {
    return { kind, namespace: subject.namespaces.home, name };
  };
  const writeOf = <K extends ObjectKind>(kind: K, name: string, spec: object): ObjectWrite<K> => {
    const parsed = parseAs(BODY_CLASSES[kind], { spec }).spec as SpecByKind[K];
    return { ...keyOf(kind, name), spec: parsed, labels: {}, annotations: {}, precondition: {} };
  };
  const solution = (name: string, spec: object = {}) => writeOf('Solution', name, spec);
  const target = (name: string, spec: object = {}) => writeOf('Target', name, spec);
  const instance = (name: string, spec: object = {}) =>
    writeOf('Instance', name, { solution: 'app', target: { name: 't' }, ...spec });

  describe('put', () => {
    test('creates generation 1 with a uid and a version, and get finds it', async () => {
      const { object, created, changed } = await store.put(solution('app'), nothing);
      expect({ created, changed }).toEqual({ created: true, changed: true });
      expect(object).toMatchObject({ generation: 1, ...keyOf('Solution', 'app'), labels: {} });
      expect(object.uid).not.toBe('');
      expect(await store.get(keyOf('Solution', 'app'))).toEqual(plain(object));
    });

    test('keeps values as they are: texts that look like numbers, nested documents, odd keys', async () => {
      const properties = {
        version: '1.10',
        id: '12345678901234567890',
        number: 1.5e300,
        safe: 9_007_199_254_740_991,
        constructor: { toString: ['a', null, false, { 'k"ey': '' }] },
        text: 'ü🙂\u0001',
      };
      await store.put(solution('app', { components: [{ name: 'c', properties }] }), nothing);
      const read = await store.get(keyOf('Solution', 'app'));
      expect(read?.spec.components?.[0]?.properties).toEqual(properties);
    });

    test('an equal write changes nothing', async () => {
      const first = await store.put(target('t', { properties: { a: '1', b: '2' } }), nothing);
      const second = await store.put(target('t', { properties: { b: '2', a: '1' } }), nothing);
      expect(second).toMatchObject({ created: false, changed: false });
      expect(second.object.version).toBe(first.object.version);
      expect(second.object.generation).toBe(1);
    });

    test('a new spec is a new generation and version, new labels a new version only', async () => {
      const first = await store.put(target('t', { properties: { a: '1' } }), nothing);
      const second = await store.put(target('t', { properties: { a: '2' } }), nothing);
      expect(second.object.generation).toBe(2);
      expect(second.object.version).not.toBe(first.object.version);
      expect(second.object.uid).toBe(first.object.uid);
      const labelled = { ...target('t', { properties: { a: '2' } }), labels: { x: 'y' } };
      const third = await store.put(labelled, nothing);
      expect(third.object.generation).toBe(2);
      expect(third.object.version).not.toBe(second.object.version);
      expect(await store.get(keyOf('Target', 't'))).toEqual(plain(third.object));
    });

    test('annotations that Symphony keeps stay, others go when they are not sent again', async () => {
      await store.put({ ...target('t'), annotations: { Guid: 'g', mine: '1' } }, nothing);
      const { object } = await store.put({ ...target('t'), annotations: { other: '2' } }, nothing);
      expect(object.annotations).toEqual({ Guid: 'g', other: '2' });
    });

    test('preconditions: If-Match and If-None-Match refuse with 412, the etag of the body with 409', async () => {
      const absent = { ...solution('app'), precondition: { ifMatch: '*' } };
      await expect(store.put(absent, nothing)).rejects.toMatchObject({ status: 412 });
      const { object } = await store.put(
        { ...solution('app'), precondition: { mustNotExist: true } },
        nothing,
      );
      const change = solution('app', { version: '2' });
      for (const [precondition, status] of [
        [{ mustNotExist: true }, 412],
        [{ ifMatch: 'other' }, 412],
        [{ ifMatch: [] }, 412],
        [{ etag: 'other' }, 409],
      ] as const) {
        await expect(store.put({ ...change, precondition }, nothing)).rejects.toMatchObject({ status });
      }
      expect((await store.get(keyOf('Solution', 'app')))?.version).toBe(object.version);
      const precondition = { ifMatch: ['x', object.version], etag: object.version };
      await store.put({ ...change, precondition }, nothing);
    });

    test('the check sees what is stored, and what it throws refuses the write', async () => {
      await store.put(solution('app', { version: '1' }), nothing);
      const check = (stored: StoredObject<'Solution'>) => {
        throw new Error(`stored is ${stored.spec.version}`);
      };
      await expect(store.put({ ...solution('app', { version: '2' }), check }, nothing)).rejects.toThrow(
        'stored is 1',
      );
      expect((await store.get(keyOf('Solution', 'app')))?.spec.version).toBe('1');
    });

    test('a refused write orders nothing; a write and its orders are there together', async () => {
      const key = keyOf('Instance', 'i');
      const refused = { ...instance('i'), precondition: { ifMatch: 'x' } };
      await expect(store.put(refused, effectsOfWrite)).rejects.toMatchObject({ status: 412 });
      expect(await subject.isOrdered(key)).toBe(false);
      expect(await store.get(key)).toBeUndefined();
      await store.put(instance('i'), effectsOfWrite);
      expect(await subject.isOrdered(key)).toBe(true);
    });

    test('status is kept, and writing the status keeps spec, version and preconditions', async () => {
      const { object } = await store.put(instance('i'), nothing);
      await subject.writeStatus(keyOf('Instance', 'i'), STATUS);
      const precondition = { ifMatch: object.version };
      await store.put({ ...instance('i', { solution: 'other' }), precondition }, nothing);
      const read = await store.get(keyOf('Instance', 'i'));
      expect(read?.status.engine).toMatchObject(STATUS);
      expect(read?.spec.solution).toBe('other');
    });
  });

  describe('under concurrency', () => {
    test('of many creators one creates, and all the others replace', async () => {
      const results = await Promise.all(
        range(16).map((n) => store.put(solution('app', { version: `${n}` }), nothing)),
      );
      expect(results.filter((result) => result.created)).toHaveLength(1);
      expect(new Set(results.map((result) => result.object.uid)).size).toBe(1);
      expect(results.map((result) => result.object.generation).toSorted((a, b) => a - b)).toEqual(
        range(16).map((n) => n + 1),
      );
    });

    test('no update is lost when writers state the version that they read', async () => {
      await store.put(solution('counter', { version: '0' }), nothing);
      const increment = async (): Promise<void> => {
        for (;;) {
          const read = await store.get(keyOf('Solution', 'counter'));
          const write = solution('counter', { version: String(Number(read?.spec.version) + 1) });
          try {
            await store.put({ ...write, precondition: { ifMatch: read?.version } }, nothing);
            return;
          } catch (error) {
            expect(error).toMatchObject({ status: 412 });
          }
        }
      };
      await Promise.all(range(12).map(increment));
      expect((await store.get(keyOf('Solution', 'counter')))?.spec.version).toBe('12');
    });
  });

  describe('deletion', () => {
    test('marks objects that something was deployed for, once, and orders their removal', async () => {
      const { object } = await store.put(instance('i'), nothing);
      await subject.applyComponent(object);
      const first = await store.requestDeletion(keyOf('Instance', 'i'), {}, effectsOfWrite);
      expect(first.changed).toBe(true);
      expect(first.object.generation).toBe(object.generation + 1);
      expect(first.object.version).not.toBe(object.version);
      expect(await subject.isOrdered(keyOf('Instance', 'i'))).toBe(true);
      const again = await store.requestDeletion(keyOf('Instance', 'i'), {}, nothing);
      expect(again.changed).toBe(false);
      expect(again.object).toEqual(plain(first.object));
      await expect(store.put(instance('i'), nothing)).rejects.toMatchObject({
        status: 409,
        code: 'ObjectDeleting',
      });
    });

    test('removes solutions at once; a successor has another uid and version', async () => {
      const { object } = await store.put(solution('app'), nothing);
      await store.requestDeletion(keyOf('Solution', 'app'), { ifMatch: object.version }, nothing);
      expect(await store.get(keyOf('Solution', 'app'))).toBeUndefined();
      const successor = await store.put(solution('app'), nothing);
      expect(successor.object.uid).not.toBe(object.uid);
      expect(successor.object.version).not.toBe(object.version);
    });

    test('an unknown object is 404, a version that does not hold is 412', async () => {
      const key = keyOf('Target', 't');
      await expect(store.requestDeletion(key, {}, nothing)).rejects.toMatchObject({ status: 404 });
      await store.put(target('t'), nothing);
      await expect(store.requestDeletion(key, { ifMatch: 'x' }, nothing)).rejects.toMatchObject({
        status: 412,
      });
      expect((await store.get(key))?.deletionTimestamp).toBeUndefined();
    });

    test('orphan forgets the object, its orders and its ledger, and answers what is left', async () => {
      const { object } = await store.put(instance('i'), effectsOfWrite);
      const line = await subject.applyComponent(object);
      const key = keyOf('Instance', 'i');
      expect(await store.orphan(key, {})).toMatchObject({ object: { uid: object.uid }, left: [line] });
      await subject.orphaned(key);
      expect(await store.get(key)).toBeUndefined();
      expect(await subject.isOrdered(key)).toBe(false);
      await expect(store.orphan(key, {})).rejects.toMatchObject({ status: 404 });
    });
  });

  describe('report', () => {
    test('merges properties and touches neither generation nor version nor what the engine wrote', async () => {
      const { object } = await store.put(target('t'), nothing);
      const key = keyOf('Target', 't');
      await subject.writeStatus(key, STATUS);
      await store.report(key, { a: '1', b: '1' });
      const reported = await store.report(key, { b: '2' });
      expect(reported.status.reported?.properties).toEqual({ a: '1', b: '2' });
      expect(reported.status.engine).toMatchObject(STATUS);
      expect(reported).toMatchObject({ generation: object.generation, version: object.version });
      await expect(store.report(keyOf('Target', 'none'), {})).rejects.toMatchObject({ status: 404 });
    });

    test('reports at the same time are all kept', async () => {
      await store.put(target('t'), nothing);
      await Promise.all(range(10).map((n) => store.report(keyOf('Target', 't'), { [`p${n}`]: `${n}` })));
      const read = await store.get(keyOf('Target', 't'));
      expect(Object.keys(read?.status.reported?.properties ?? {})).toHaveLength(10);
    });
  });

  describe('list', () => {
    // A hyphen comes before letters, unlike in the collations of languages.
    const ALL = ['home/a-z', 'home/aa', 'home/b', 'home/c', 'later/aa'];
    beforeEach(async () => {
      const labels = (app: string, extra: Record<string, string> = {}) => ({ app, ...extra });
      for (const write of [
        { ...target('b', { properties: { os: 'linux' } }), labels: labels('web') },
        { ...target('aa', { properties: { os: 'windows' } }), labels: labels('web', { old: '' }) },
        { ...target('a-z', {}), labels: labels('db') },
        { ...target('aa', {}), namespace: subject.namespaces.later, labels: labels('web') },
        { ...target('c', { displayName: "it's" }), labels: {} },
      ]) {
        await store.put(write, nothing);
      }
      await store.put(instance('i', { solution: 'app-v-1', target: { name: 'aa' } }), nothing);
    });

    const names = async (query: Partial<Parameters<ObjectStore['list']>[0]>): Promise<string[]> => {
      await subject.listed();
      return namesOf((await store.list({ kind: 'Target', ...query })).items);
    };
    const namesOf = (items: readonly StoredObject[]): string[] =>
      items.map(({ namespace, name }) => `${whichOf(namespace)}/${name}`);
    const whichOf = (namespace: string): string | undefined =>
      Object.entries(subject.namespaces).find(([, value]) => value === namespace)?.[0];
    const inHome = (names: readonly string[]): string[] => names.map((name) => `home/${name}`);

    test('is in the order of namespace and name, of one kind, of one namespace if asked', async () => {
      expect(await names({})).toEqual(ALL);
      expect(await names({ namespace: subject.namespaces.later })).toEqual(['later/aa']);
      expect(await names({ namespace: 'nowhere' })).toEqual([]);
    });

    test.each([
      [{ key: 'app', operator: '=', values: ['web'] }, ['aa', 'b']],
      [{ key: 'app', operator: '!=', values: ['web'] }, ['a-z', 'c']],
      [{ key: 'app', operator: 'in', values: ['db', 'web'] }, ['a-z', 'aa', 'b']],
      [{ key: 'app', operator: 'notIn', values: ['db', 'x'] }, ['aa', 'b', 'c']],
      [{ key: 'old', operator: 'exists', values: [] }, ['aa']],
      [{ key: 'old', operator: '=', values: [''] }, ['aa']],
      [{ key: 'app', operator: 'notExists', values: [] }, ['c']],
    ] as const)('label %j', async (requirement, expected) => {
      const labels = [{ ...requirement, values: [...requirement.values] }];
      const found = await names({ namespace: subject.namespaces.home, labels });
      expect(found).toEqual(inHome(expected));
    });

    test.each([
      ['metadata.name', '=', 'b', ['b']],
      ['metadata.name', '!=', 'b', ['a-z', 'aa', 'c']],
      ['metadata.labels["app"]', '=', 'db', ['a-z']],
      ['spec.properties.os', '=', 'linux', ['b']],
      ['spec.properties.os', '!=', 'linux', ['a-z', 'aa', 'c']],
      ['spec.properties.os', '=', '', ['a-z', 'c']],
      ['spec.displayName', '=', "it's", ['c']],
      ['spec.none.at.all', '=', 'x', []],
    ] as const)('field %s%s%s', async (key, operator, value, expected) => {
      const found = await names({
        namespace: subject.namespaces.home,
        fields: [{ key, operator, values: [value] }],
      });
      expect(found).toEqual(inHome(expected));
    });

    test('fields of instances and of the status', async () => {
      await subject.writeStatus(keyOf('Instance', 'i'), STATUS);
      await store.report(keyOf('Target', 'c'), { online: 'yes' });
      const field = (key: string, value: string) => [{ key, operator: '=' as const, values: [value] }];
      expect(await names({ kind: 'Instance', fields: field('spec.solution', 'app-v-1') })).toHaveLength(1);
      expect(await names({ kind: 'Instance', fields: field('spec.target.name', 'aa') })).toHaveLength(1);
      expect(await names({ kind: 'Instance', fields: field('status.status', 'Failed') })).toHaveLength(1);
      expect(await names({ fields: field('status.properties.online', 'yes') })).toEqual(['home/c']);
    });

    test('pages neither skip nor repeat, even while objects come and go', async () => {
      await subject.listed();
      const seen: string[] = [];
      let next: string | undefined;
      let round = 0;
      do {
        const page = await store.list({ kind: 'Target', limit: 2, continue: next });
        expect(page.items.length).toBeLessThanOrEqual(2);
        seen.push(...namesOf(page.items));
        ({ next } = page);
        // Before and behind the place that was reached.
        await store.put(target(`a-a${round}`), nothing);
        await store.put({ ...target(`z${round++}`), namespace: subject.namespaces.last }, nothing);
      } while (next !== undefined && round < 20);
      expect(seen.slice(0, 5)).toEqual(ALL);
      expect(new Set(seen).size).toBe(seen.length);
    });

    test('a last page that is full says that it is the last', async () => {
      await subject.listed();
      expect((await store.list({ kind: 'Target', limit: 5 })).next).toBeUndefined();
      expect((await store.list({ kind: 'Target', limit: 4 })).next).toBeDefined();
    });

    test('a token of another query, or no token at all, is 400', async () => {
      await subject.listed();
      const { next } = await store.list({ kind: 'Target', limit: 2 });
      for (const query of [
        { kind: 'Instance', continue: next },
        { kind: 'Target', namespace: subject.namespaces.home, continue: next },
        { kind: 'Target', continue: 'garbage' },
        { kind: 'Target', continue: Buffer.from('{"n":"a"}').toString('base64url') },
      ] as const) {
        await expect(store.list(query)).rejects.toMatchObject({ status: 400, code: 'InvalidContinue' });
      }
    });
  });
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}

/** As it comes back from a store: without the classes of what was sent. */
function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value)) as T;
}
