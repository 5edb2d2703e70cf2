import { AccessError, NotFoundError, UnavailableError } from '@symphony/model';
import type { LookupNeed } from '@symphony/expressions';
import { expect, test } from 'vitest';
import type { ObjectRef, ResourceType } from '../client/index.js';
import { KubernetesSource } from './kubernetes-source.js';

const OWN = { namespace: 'home', name: 'own' };

/** A source that is answered by `answer`, and what it asked for. */
function sourceOf(answer: () => Promise<object>): { source: KubernetesSource; asked: string[] } {
  const asked: string[] = [];
  const get = (type: ResourceType, { namespace = '', name }: ObjectRef): Promise<object> => {
    asked.push(`${type.plural} ${namespace}/${name}`);
    return answer();
  };
  return { source: new KubernetesSource({ get: get as never }, [OWN]), asked };
}
const secretNeed = (object: string, field = 'f'): LookupNeed => ({ kind: 'secret', object, field });
const live = new AbortController().signal;

test.each([
  ['a path', 'a/b'],
  ['a way up', '..'],
  ['an escape', 'a%2fb'],
  ['a query', 'a?watch=1'],
  ['a version of Symphony', 'app:1'],
  ['nothing', ''],
  ['more than a name can have', 'a'.repeat(254)],
])('%s is no name', async (_what, object) => {
  const { source, asked } = sourceOf(() => Promise.resolve({}));
  for (const kind of ['secret', 'config'] as const) {
    const answer = await source.lookup({ kind, object, field: 'f' }, 'shop', live);
    expect(answer).toMatchObject({ failure: 'NotFound' });
  }
  expect(asked).toEqual([]);
});

test('what is the engine’s own is nobody else’s; the same name elsewhere is', async () => {
  const { source, asked } = sourceOf(() => Promise.resolve({ data: { f: 'eA==' } }));
  expect(await source.lookup(secretNeed('own'), 'home', live)).toMatchObject({ failure: 'NotFound' });
  expect(asked).toEqual([]);
  expect(await source.lookup(secretNeed('own'), 'shop', live)).toEqual({ value: 'x', sensitive: true });
});

test('what could not be read is never taken for what is not there', async () => {
  const answers: [Error, string][] = [
    [new NotFoundError('no such'), 'NotFound'],
    [new AccessError(403, 'no right'), 'Failed'],
    [new UnavailableError('away', 'KubernetesUnreachable'), 'Failed'],
    [new Error('odd'), 'Failed'],
  ];
  for (const [error, failure] of answers) {
    const { source } = sourceOf(() => Promise.reject(error));
    expect(await source.lookup(secretNeed('db'), 'shop', live)).toMatchObject({ failure });
  }
});

test('names that every object of JavaScript has are no entries', async () => {
  const { source } = sourceOf(() => Promise.resolve({ data: {} }));
  for (const kind of ['secret', 'config'] as const) {
    const answer = await source.lookup({ kind, object: 'db', field: 'constructor' }, 'shop', live);
    expect(answer).toMatchObject({ failure: 'NotFound' });
  }
});

test('a run that ends does not wait for the answer', async () => {
  const { source } = sourceOf(() => new Promise(() => undefined));
  const run = new AbortController();
  const looked = source.lookup(secretNeed('db'), 'shop', run.signal);
  run.abort(new Error('the run ends'));
  await expect(looked).rejects.toThrow('the run ends');
});
