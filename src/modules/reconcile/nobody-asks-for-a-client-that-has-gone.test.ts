import { request } from 'node:http';
import { Controller } from '@nestjs/common';
import type { SummarySpec } from '@symphony/model';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startEdgeApp, type EdgeApp } from '../../../test/support/edge-app.js';
import type { JobStore, JobWaker, SummaryStore } from '../queue/index.js';
import type { DesiredStateReader, RunPlanner } from '../solution/index.js';
import { InlineController } from './inline.controller.js';
import { InlineService, type InlineRequest } from './inline.service.js';

let asked = 0;
const waits: Promise<SummarySpec>[] = [];

/** Orders whose runs never end. */
class Waits extends InlineService {
  constructor() {
    const jobs = { orderInline: () => Promise.resolve('1'), isDone: () => Promise.resolve(++asked < 0) };
    const waker = { nextFinished: (ms: number) => new Promise((resolve) => setTimeout(resolve, ms / 50)) };
    super(
      jobs as unknown as JobStore,
      waker as unknown as JobWaker,
      {} as SummaryStore,
      {} as DesiredStateReader,
      {} as RunPlanner,
    );
  }

  override reconcile(post: InlineRequest): Promise<SummarySpec> {
    const wait = super.reconcile(post);
    waits.push(wait);
    return wait;
  }
}

@Controller('v1alpha2/solution')
class Posts extends InlineController {
  constructor() {
    super(new Waits());
  }
}

let edge: EdgeApp;
beforeAll(async () => {
  edge = await startEdgeApp([Posts], {
    before: (fastify) =>
      void fastify.addHook('onRequest', async (incoming) => {
        incoming.user = { name: 'ada', roles: [] };
      }),
  });
});
afterAll(() => edge.close());

test('the wait for a posted deployment ends with the connection of who posted it', async () => {
  const post = request({
    port: edge.port,
    host: '127.0.0.1',
    method: 'POST',
    path: '/v1alpha2/solution/reconcile',
    headers: { 'content-type': 'application/json' },
  });
  post.on('error', () => undefined);
  post.end(
    JSON.stringify({
      solution: { metadata: { name: 's' }, spec: { components: [] } },
      instance: { metadata: { name: 'shop' }, spec: {} },
    }),
  );
  // It waits for as long as somebody waits for it.
  await expect.poll(() => asked, { timeout: 10_000 }).toBeGreaterThan(3);
  post.destroy();
  await expect(waits[0]).rejects.toMatchObject({ code: 'ClientGone', status: 499 });
  const levels = edge.log.filter(({ code }) => code === 'ClientGone').map(({ level }) => level);
  expect(levels).not.toContain('error');
});
