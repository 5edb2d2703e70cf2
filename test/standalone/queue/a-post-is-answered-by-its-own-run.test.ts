import { UnavailableError, type SummarySpec } from '@symphony/model';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { writeOutcome } from '../../../src/modes/standalone/stores/runs/outcome-writer.js';
import { PostgresProgress } from '../../../src/modes/standalone/stores/runs/postgres-progress.js';
import { PostgresSummaries } from '../../../src/modes/standalone/stores/runs/postgres-summaries.js';
import type { Claim, JobManager, JobWaker } from '../../../src/modules/queue/index.js';
import { Latch } from '../../../src/modules/queue/latch.js';
import { InlineService } from '../../../src/modules/reconcile/inline.service.js';
import type { DesiredStateReader, RunPlanner } from '../../../src/modules/solution/index.js';
import { startManager, type Handle } from './manager.js';
import { openQueue, orderOf, outcomeOf, until, type QueueFixture } from './support.js';

let queue: QueueFixture;
let manager: JobManager | undefined;
beforeAll(async () => {
  queue = await openQueue('own_run', {
    write: writeOutcome,
    backoff: { minMs: 50, firstMs: 50, maxMs: 50 },
  });
});
afterAll(() => queue.close());
afterEach(async () => {
  await manager?.stop();
  manager = undefined;
});

function serve(handle: Handle): void {
  manager = startManager(queue.store, handle, { pollMs: 20 });
}

function serviceOf(waker: Pick<JobWaker, 'nextFinished'>): InlineService {
  return new InlineService(
    queue.store,
    waker as JobWaker,
    new PostgresSummaries(queue.database),
    {} as DesiredStateReader,
    {} as RunPlanner,
  );
}

function post(name: string, jobID: string, service = serviceOf(queue.wakeups)): Promise<SummarySpec> {
  const body = {
    solution: { metadata: { name: 's' }, spec: { components: [] } },
    instance: { metadata: { name }, spec: {} },
    jobID,
  };
  return service.reconcile({ body, namespace: 'default', removal: false, actor: 'ada' });
}

function summaryOf({ payload }: Claim, allAssignedDeployed = true): SummarySpec {
  return {
    targetCount: 0,
    successCount: 0,
    plannedDeployment: 0,
    currentDeployed: 0,
    jobID: payload?.jobId ?? '',
    skipped: false,
    isRemoval: false,
    allAssignedDeployed,
    removed: false,
  };
}

function ended(claim: Claim) {
  const summary = { key: claim.name, generation: '1', deploymentHash: '', summary: summaryOf(claim) };
  return outcomeOf({ summary });
}

test.for([
  ['the store was away', new UnavailableError('gone')],
  ['the engine has a fault', new Error('a bug')],
] as const)(
  'a post whose run broke off, as %s, is answered by its retry, not by the run before',
  async ([why, error]) => {
    const name = why.replaceAll(' ', '-');
    const ran: string[] = [];
    serve((claim) => {
      ran.push(claim.payload?.jobId ?? '');
      if (ran.length === 2) throw error;
      return ended(claim);
    });
    expect(await post(name, '1')).toMatchObject({ jobID: '1', allAssignedDeployed: true });
    expect(await post(name, '2')).toMatchObject({ jobID: '2', allAssignedDeployed: true });
    expect(ran).toEqual(['1', '2', '2']);
  },
);

test('what a later run shows of how far it is, is no answer', async () => {
  const { store, database } = queue;
  await store.register('by-hand', 600_000);
  const claimed = async (): Promise<Claim> => {
    const [claim] = await until(
      'claimed',
      () => store.claim({ worker: 'by-hand', limit: 1, periodic: true }),
      (claims) => claims.length > 0,
    );
    if (!claim) throw new Error('nothing was claimed');
    return claim;
  };
  // Looks when it is told to: while the later run goes on.
  const look = new Latch();
  const answer = post('busy', '1', serviceOf({ nextFinished: () => look.wait(30_000) }));
  const first = await claimed();
  await store.complete(first, ended(first));
  await store.orderInline({
    ...orderOf({ name: 'busy' }),
    payload: { deployment: first.payload?.deployment, jobId: '2' },
  });
  const second = await claimed();
  const summary = summaryOf(second, false);
  await new PostgresProgress(database).write(second, { summaryKey: 'busy', generation: '1', summary });
  look.open();
  // Time for a look; an answer that is too early is wrong for good.
  await Promise.race([answer, new Promise((resolve) => setTimeout(resolve, 300))]);
  await store.complete(second, ended(second));
  look.open();
  expect(await answer).toMatchObject({ jobID: '2', allAssignedDeployed: true });
});
