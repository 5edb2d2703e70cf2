import { afterAll, beforeAll, expect, test } from 'vitest';
import { type EdgeApp, startEdgeApp } from '../../../test/support/edge-app.js';

let edge: EdgeApp;
beforeAll(async () => {
  edge = await startEdgeApp([]);
});
afterAll(() => edge.close());

const get = (path: string) => edge.send(`GET ${path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);

interface Document {
  openapi: string;
  paths: Record<string, Record<string, { operationId: string; responses: Record<string, unknown> }>>;
  components: { schemas: Record<string, unknown>; securitySchemes: Record<string, unknown> };
}

test('/openapi.json has every route, the extra schemas, and the problem that any of them may answer', async () => {
  const document = (await get('/openapi.json')).json<Document>();
  expect(Object.keys(document.paths).sort()).toEqual(['/healthz', '/readyz']);
  expect(Object.keys(document.components.schemas)).toEqual(expect.arrayContaining(['Extra', 'Problem']));
  expect(document.paths['/healthz']?.get?.responses).toHaveProperty('default');
  expect(document.components.securitySchemes).toHaveProperty('bearer');
});

test('the page and all that it loads come from here, and its policy lets nothing else in', async () => {
  const page = await get('/docs');
  expect(page.status).toBe(200);
  expect(page.headers['content-security-policy']).toContain("script-src 'self'");
  expect(page.body).not.toMatch(/(src|href)="(https?:)?\/\//);
  const sources = [...page.body.matchAll(/<script src="\.\/([^"]+)"/g)].map((match) => match[1]);
  expect(sources.length).toBeGreaterThan(1);
  expect(page.body).not.toMatch(/<script>/);
  for (const source of sources) expect((await get(`/${source}`)).status).toBe(200);
});

test('everything else may not be rendered at all', async () => {
  expect((await get('/healthz')).headers['content-security-policy']).toBe(
    "default-src 'none';frame-ancestors 'none'",
  );
});
