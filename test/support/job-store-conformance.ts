import { beforeEach } from 'vitest';
import { claimsConformance } from './job-store/claims.js';
import { completionsConformance } from './job-store/completions.js';
import { fanOutsConformance } from './job-store/fan-outs.js';
import { ordersConformance } from './job-store/orders.js';
import { Bench, HOUR_MS, WORKER, type JobStoreSubject } from './job-store/subject.js';
import { suspensionsConformance } from './job-store/suspensions.js';
import { viewsConformance } from './job-store/views.js';
import { workersConformance } from './job-store/workers.js';

export { OutcomeRecorder, type JobStoreSubject } from './job-store/subject.js';

/**
 * The guarantees of the JobStore port, for any adapter.
 * @param open answers a subject with an empty store; called once for each test
 */
export function jobStoreConformance(open: () => Promise<JobStoreSubject>): void {
  let bench: Bench;
  beforeEach(async () => {
    bench = new Bench(await open());
    // Longer than any time that a test lets pass.
    await bench.store.register(WORKER, 24 * HOUR_MS);
  });

  ordersConformance(() => bench);
  claimsConformance(() => bench);
  suspensionsConformance(() => bench);
  completionsConformance(() => bench);
  workersConformance(() => bench);
  viewsConformance(() => bench);
  fanOutsConformance(() => bench);
}
