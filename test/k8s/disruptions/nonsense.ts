export type Plural = 'targets' | 'solutions' | 'instances';

const WELL = { solution: 'well', target: { name: 'well' } };

/** Specs that no schema of ours lets in, by what they are put on. */
export const NONSENSE: Readonly<Record<Plural, Readonly<Record<string, unknown>>>> = {
  instances: {
    'no-object': 'a text',
    nothing: null,
    'a-list': [1, 2, 3],
    'solution-is-a-number': { ...WELL, solution: 7 },
    'solution-is-a-list': { ...WELL, solution: ['well'] },
    'target-is-a-text': { ...WELL, target: 'well' },
    'target-is-null': { ...WELL, target: null },
    'target-name-is-an-object': { ...WELL, target: { name: { name: 'well' } } },
    'selector-is-a-list': { ...WELL, target: { selector: ['a', null] } },
    'interval-is-huge': { ...WELL, reconciliationPolicy: { interval: `${'9'.repeat(30)}h` } },
    'interval-is-a-number': { ...WELL, reconciliationPolicy: { state: null, interval: 5 } },
    'policy-is-a-number': { ...WELL, reconciliationPolicy: 3 },
    'parameters-are-a-list': { ...WELL, parameters: [null] },
    'pipelines-are-deep': { ...WELL, pipelines: nested(300) },
  },
  solutions: {
    'no-object': 'a text',
    'components-are-a-map': { components: { a: 1 } },
    'components-hold-null': { components: [null, 4, 'c'] },
    'same-name-twice': { components: [{ name: 'c' }, { name: 'c' }] },
    cyclic: {
      components: [
        { name: 'a', dependencies: ['b'] },
        { name: 'b', dependencies: ['a'] },
      ],
    },
    'dependencies-are-numbers': { components: [{ name: 'c', dependencies: [1, null] }] },
    'properties-are-a-text': { components: [{ name: 'c', properties: 'x', parameters: 5 }] },
    'metadata-is-deep': { components: [], metadata: nested(300) },
  },
  targets: {
    'no-object': 'a text',
    'properties-are-a-list': { properties: [['a']], topologies: [] },
    'properties-are-objects': { properties: { zone: { b: [null] } }, topologies: [] },
    'topologies-are-null': { topologies: null },
    'topologies-hold-null': { topologies: [null, { bindings: [null, 5] }] },
    'bindings-are-a-text': { topologies: [{ bindings: 'x' }] },
    'components-are-deep': { components: [{ name: 'c', metadata: nested(300) }], topologies: 7 },
  },
};

function nested(depth: number): object {
  let value: object = { end: true };
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? { down: value } : { down: [value] };
  return value;
}
