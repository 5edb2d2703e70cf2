import { afterAll, beforeAll, expect, test } from 'vitest';
import { createOpenApiDocument } from '../../../src/modules/http/index.js';
import { stateSchemas } from '../../../src/modules/state/index.js';
import { startStateApp, type StateApp } from './state-app.js';

let state: StateApp;
let document: ReturnType<typeof createOpenApiDocument>;

beforeAll(async () => {
  state = await startStateApp('documented');
  document = createOpenApiDocument(state.app, { version: '1.2.3', extraSchemas: stateSchemas() });
});
afterAll(() => state.close());

test('every route is there', () => {
  const routes = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method} ${path.replace('/v1alpha2/', '')}`),
  );
  expect(routes.toSorted()).toEqual([
    'delete instances/{name}',
    'delete solutioncontainers/{name}',
    'delete solutions/{name}',
    'delete targets/registry/{name}',
    'get greetings',
    'get instances',
    'get instances/{name}',
    'get solutioncontainers',
    'get solutioncontainers/{name}',
    'get solutions',
    'get solutions/{name}',
    'get targets/download/{docType}/{name}',
    'get targets/registry',
    'get targets/registry/{name}',
    'post greetings',
    'post instances',
    'post instances/{name}',
    'post solutioncontainers/{name}',
    'post solutions',
    'post solutions/{name}',
    'post targets/ping/{name}',
    'post targets/registry',
    'post targets/registry/{name}',
    'put targets/status/{name}',
    'put targets/status/{name}/{component}',
  ]);
});

test('every operation has an id of its own, a summary, a tag and a described success', () => {
  const operations = Object.values(document.paths).flatMap((item) => Object.values(item) as Operation[]);
  const ids = operations.map((operation) => operation.operationId);
  expect(new Set(ids).size).toBe(ids.length);
  for (const operation of operations) {
    expect(operation.summary, operation.operationId).toBeTruthy();
    expect(operation.tags, operation.operationId).toHaveLength(1);
    expect(operation.responses['200']?.description, operation.operationId).toBeTruthy();
    const refusals = Object.keys(operation.responses).filter((status) => status.startsWith('4'));
    if (!operation.tags?.includes('greetings')) expect(refusals, operation.operationId).not.toEqual([]);
  }
});

interface Operation {
  operationId: string;
  summary?: string;
  tags?: string[];
  parameters?: { name: string; in: string }[];
  responses: Record<string, { description?: string } | undefined>;
}

test('every parameter of a path is declared, and every reference leads somewhere', () => {
  for (const [path, item] of Object.entries(document.paths)) {
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name);
    for (const operation of Object.values(item) as Operation[]) {
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect(declared.map((parameter) => parameter.name).toSorted(), operation.operationId).toEqual(
        inPath.toSorted(),
      );
    }
  }
  const known = Object.keys(document.components?.schemas ?? {});
  const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)].map(
    (m) => m[1],
  );
  expect(references.length).toBeGreaterThan(20);
  expect([...new Set(references)].filter((name) => !known.includes(name ?? ''))).toEqual([]);
});
