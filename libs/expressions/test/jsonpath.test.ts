import { describe, expect, test } from 'vitest';
import { errorOf, valueOf } from './support.js';

const value = {
  metadata: { name: 'pod', labels: { 'app.kubernetes.io/name': 'web', tier: 'front' } },
  status: { phase: 'Running', restarts: 3 },
  containers: [
    { name: 'a', image: 'nginx', ports: [80, 443], cpu: 0.5 },
    { name: 'b', image: 'redis', ports: [6379] },
    { name: 'c', image: 'nginx' },
  ],
};

const select = (path: string) => valueOf('${{$jsonpath($val(), $input(path))}}', { value, inputs: { path } });

describe('the JSONPath dialect of Kubernetes', () => {
  test.each([
    ['{.metadata.name}', 'pod'],
    ['$.metadata.name', 'pod'],
    ['{$.metadata.name}', 'pod'],
    ['{@.metadata.name}', 'pod'],
    ['.metadata.name', 'pod'],
    ['metadata.name', 'pod'],
    ["$['metadata']['name']", 'pod'],
    ["$.metadata.labels['app.kubernetes.io/name']", 'web'],
    ['{.metadata.labels.app\\.kubernetes\\.io/name}', 'web'],
    ['$.containers[0].name', 'a'],
    ['$.containers[-1].name', 'c'],
    ['$.containers[*].name', ['a', 'b', 'c']],
    ['$.containers[0:2].name', ['a', 'b']],
    ['$.containers[-2:].name', ['b', 'c']],
    ['$.containers[::2].name', ['a', 'c']],
    ['$.containers[0,2].name', ['a', 'c']],
    ["$.status['phase','restarts']", ['Running', 3]],
    ['$.status.*', ['Running', 3]],
    ['$..name', ['pod', 'a', 'b', 'c']],
    ['$..ports[0]', [80, 6379]],
    ['$..[0].image', 'nginx'],
    ['$.containers[?(@.image=="nginx")].name', ['a', 'c']],
    ["$.containers[?(@.image != 'nginx')].name", 'b'],
    ['$.containers[?(@.cpu)].name', 'a'],
    ['$.containers[?(@.cpu<1)].name', 'a'],
    ['$.containers[?(@.ports[0] >= 80)].name', ['a', 'b']],
    ['$.containers[?(@.ports[0]==$.containers[1].ports[0])].name', 'b'],
    ["$[?(@.status.phase=='Running')].metadata.name", 'pod'],
    ['$[0].metadata.name', 'pod'],
  ])('%s', (path, result) => {
    expect(select(path)).toStrictEqual(result);
  });

  test.each(['$', '{$}', '$.', '.', ''])('"%s" is the whole value', (path) => {
    expect(select(path)).toEqual(value);
  });

  test.each([
    '$.nope',
    '$.containers[9]',
    '$.metadata[0].x',
    '$.containers[?(@.name=="z")]',
    '$.status.phase.x',
  ])('%s selects nothing', (path) => {
    expect(errorOf(() => select(path)).code).toBe('ExpressionMissingValue');
  });

  test.each([
    '$.a.',
    '$[',
    '$[]',
    '$[a]',
    "$['a",
    '$[?]',
    '$[?(@.a==)]',
    '$[?(@.a=~b)]',
    '$[::-1]',
    '$[::0]',
    '$.a b',
    '{.a} {.b}',
  ])('%s is no path', (path) => {
    expect(['ExpressionInvalidPath', 'ExpressionMissingValue']).toContain(errorOf(() => select(path)).code);
  });
});
