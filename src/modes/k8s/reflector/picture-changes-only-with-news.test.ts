import { describe, expect, it } from 'vitest';
import type { KubeObject } from '../client/index.js';
import { ObjectCache, type Change } from './object-cache.js';

interface Thing extends KubeObject {
  spec?: { solution?: string } | null;
}

function thing(name: string, version: number, uid = `uid-${name}`, solution?: string): Thing {
  return {
    metadata: { namespace: 'a', name, uid, resourceVersion: String(version) },
    ...(solution === undefined ? {} : { spec: { solution } }),
  };
}

function cache(): ObjectCache<Thing, 'solution'> {
  return new ObjectCache('Thing', {
    solution: ({ metadata, spec }) => (spec?.solution ? [`${metadata.namespace}/${spec.solution}`] : []),
  });
}

function told(changes: readonly Change<Thing>[]): string[] {
  return changes.map(({ key, before, after }) => {
    const versions = [before, after].map((object) => object?.metadata.resourceVersion ?? '-');
    return `${key.uid} ${versions.join('→')}`;
  });
}

describe('events', () => {
  it('appearing, changing and going are told with both states', () => {
    const things = cache();
    expect(told(things.put(thing('x', 1)))).toEqual(['uid-x -→1']);
    expect(told(things.put(thing('x', 2)))).toEqual(['uid-x 1→2']);
    expect(told(things.remove(thing('x', 3)))).toEqual(['uid-x 2→-']);
    expect(things.size).toBe(0);
  });

  it('repeated and late ones change nothing', () => {
    const things = cache();
    things.put(thing('x', 5));
    expect(things.put(thing('x', 5))).toEqual([]);
    expect(things.put(thing('x', 4))).toEqual([]);
    expect(things.get({ namespace: 'a', name: 'x' })?.metadata.resourceVersion).toBe('5');
  });

  it('versions are numbers, not words', () => {
    const things = cache();
    things.put(thing('x', 999));
    expect(told(things.put(thing('x', 1000)))).toEqual(['uid-x 999→1000']);
  });

  it('what is gone does not come back by a late event', () => {
    const things = cache();
    things.put(thing('x', 1));
    things.remove(thing('x', 3));
    expect(things.put(thing('x', 2))).toEqual([]);
    expect(things.remove(thing('x', 3))).toEqual([]);
  });

  it('what left a selection may enter it again', () => {
    const things = cache();
    things.put(thing('x', 1));
    things.remove(thing('x', 3));
    expect(told(things.put(thing('x', 4)))).toEqual(['uid-x -→4']);
  });

  it('the same name with another uid is the end of one object and the beginning of another', () => {
    const things = cache();
    things.put(thing('x', 1, 'first'));
    expect(told(things.put(thing('x', 5, 'second')))).toEqual(['first 1→-', 'second -→5']);
    // The deletion of the first one comes late, and is not that of the second.
    expect(things.remove(thing('x', 4, 'first'))).toEqual([]);
    expect(things.put(thing('x', 2, 'first'))).toEqual([]);
    expect(things.byUid('second')).toBeDefined();
  });
});

describe('lists', () => {
  it('what is not in them has gone, unseen', () => {
    const things = cache();
    things.put(thing('x', 1));
    things.put(thing('y', 2));
    expect(told(things.replace({ items: [thing('y', 2), thing('z', 9)], version: '9' }))).toEqual([
      'uid-x 1→-',
      'uid-z -→9',
    ]);
  });

  it('of one namespace say nothing about others', () => {
    const things = cache();
    things.put(thing('x', 1));
    expect(things.replace({ items: [], version: '9', namespace: 'b' })).toEqual([]);
    expect(told(things.replace({ items: [], version: '9', namespace: 'a' }))).toEqual(['uid-x 1→-']);
  });

  it('show that a name has another object now', () => {
    const things = cache();
    things.put(thing('x', 1, 'first'));
    expect(told(things.replace({ items: [thing('x', 7, 'second')], version: '9' }))).toEqual([
      'first 1→-',
      'second -→7',
    ]);
  });
});

describe('lists that were made before a write of this process came back', () => {
  it('neither take away what was created since, nor set back what was changed since', () => {
    const things = cache();
    things.put(thing('x', 100));
    things.put(thing('made', 105));
    things.put(thing('x', 106));
    expect(things.replace({ items: [thing('x', 100)], version: '104' })).toEqual([]);
    expect(things.byUid('uid-made')).toBeDefined();
    expect(things.byUid('uid-x')?.metadata.resourceVersion).toBe('106');
    expect(told(things.replace({ items: [thing('x', 106)], version: '107' }))).toEqual(['uid-made 105→-']);
  });

  it('do not bring back what was deleted since, nor what had that name before', () => {
    const things = cache();
    things.put(thing('x', 100));
    things.remove(thing('x', 105));
    expect(things.replace({ items: [thing('x', 100)], version: '104' })).toEqual([]);
    things.put(thing('y', 110, 'second'));
    expect(things.replace({ items: [thing('y', 101, 'first')], version: '109' })).toEqual([]);
    expect(things.byUid('second')).toBeDefined();
  });

  it('are the whole truth of what is not later, also of objects that are older than they were', () => {
    const things = cache();
    things.put(thing('gone', 10));
    things.remove(thing('gone', 30));
    things.put(thing('changed', 40));
    // A restored backup whose versions were raised above all that anybody has seen.
    const items = [thing('gone', 10), thing('changed', 10)];
    expect(told(things.replace({ items, version: '1000' }))).toEqual(['uid-gone -→10', 'uid-changed 40→10']);
    expect(told(things.put(thing('gone', 1001)))).toEqual(['uid-gone 10→1001']);
  });

  it('are the whole truth where the cluster is back at an earlier state', () => {
    const things = cache();
    things.put(thing('x', 106));
    things.put(thing('made', 105));
    expect(told(things.replace({ items: [thing('x', 50)], version: undefined }))).toEqual([
      'uid-made 105→-',
      'uid-x 106→50',
    ]);
    expect(told(things.put(thing('z', 51)))).toEqual(['uid-z -→51']);
  });
});

it('what a list shows as gone does not come back by a late answer', () => {
  const things = cache();
  things.put(thing('x', 5));
  things.replace({ items: [], version: '9' });
  expect(things.put(thing('x', 6))).toEqual([]);
  expect(told(things.put(thing('y', 10)))).toEqual(['uid-y -→10']);
});

describe('indexes', () => {
  const ofSolution = (things: ObjectCache<Thing, 'solution'>, name: string): string[] =>
    things.byIndex('solution', `a/${name}`).map(({ metadata }) => metadata.name);

  it('follow what an object says', () => {
    const things = cache();
    things.put(thing('x', 1, 'uid-x', 's1'));
    things.put(thing('y', 2, 'uid-y', 's1'));
    expect(ofSolution(things, 's1')).toEqual(['x', 'y']);
    things.put(thing('x', 3, 'uid-x', 's2'));
    expect(ofSolution(things, 's1')).toEqual(['y']);
    expect(ofSolution(things, 's2')).toEqual(['x']);
    things.remove(thing('y', 4));
    expect(ofSolution(things, 's1')).toEqual([]);
    things.replace({ items: [], version: '9' });
    expect(ofSolution(things, 's2')).toEqual([]);
  });

  it('leave out what has another shape, which is found by its name', () => {
    const things = new ObjectCache<Thing, 'solution'>('Thing', {
      solution: ({ spec }) => [(spec as { solution: string }).solution.toLowerCase()],
    });
    expect(told(things.put({ ...thing('x', 1), spec: null }))).toEqual(['uid-x -→1']);
    expect(things.get({ namespace: 'a', name: 'x' })).toBeDefined();
    expect(told(things.put({ ...thing('x', 2), spec: { solution: 'S' } }))).toEqual(['uid-x 1→2']);
    expect(things.byIndex('solution', 's')).toHaveLength(1);
  });
});

it('what is handed out cannot be changed', () => {
  const things = cache();
  things.put(thing('x', 1, 'uid-x', 's'));
  const object = things.get({ namespace: 'a', name: 'x' });
  expect(() => Object.assign(object?.spec ?? {}, { solution: 'other' })).toThrow(TypeError);
  expect(() => Object.assign(object?.metadata ?? {}, { name: 'other' })).toThrow(TypeError);
});
