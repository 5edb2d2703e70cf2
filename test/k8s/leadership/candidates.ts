import { onTestFinished } from 'vitest';
import { ApiClient, fixedAccess } from '../../../src/modes/k8s/client/index.js';
import { Elector, type ElectorOptions, type LeaseTiming } from '../../../src/modes/k8s/leadership/index.js';
import type { TestCluster } from '../../support/control-plane/index.js';
import { FaultyProxy } from '../client/faulty-proxy.js';

/** No term of it ends by itself, however slow the machine is: for all that does not wait for the end of a Lease. */
export const LASTING: LeaseTiming = { leaseMs: 60_000, renewDeadlineMs: 40_000, retryMs: 300 };
/** Its end may be waited for; a machine that stands still for a moment does not end a term all the same. */
export const PASSING: LeaseTiming = { leaseMs: 9_000, renewDeadlineMs: 4_500, retryMs: 300 };
/** Terms of it may end at any moment: only where that is no matter. The Lease itself counts in whole seconds. */
export const QUICK: LeaseTiming = { leaseMs: 2_000, renewDeadlineMs: 1_300, retryMs: 300 };

/** When a term began and when its signal was aborted, by `performance.now()`. */
export interface LivedTerm {
  who: string;
  epoch: number;
  from: number;
  until: number;
}

export interface LeaseObject {
  metadata: { name: string; resourceVersion: string; annotations?: Record<string, string> };
  spec: { holderIdentity: string; leaseTransitions: number; leaseDurationSeconds: number; renewTime: string };
}

export interface Candidate {
  elector: Elector;
  proxy: FaultyProxy;
  /** Its terms so far; one that goes on has `until` Infinity. */
  terms: LivedTerm[];
}

/** Candidates for one Lease of the running test, each behind a proxy of its own that has faults on demand. */
export class Candidates {
  readonly all: Candidate[] = [];
  readonly name = 'symphony-engine';

  constructor(
    private readonly cluster: TestCluster,
    readonly namespace: string,
    private readonly timing: LeaseTiming = LASTING,
  ) {}

  async add(identity: string, options: Partial<ElectorOptions> = {}): Promise<Candidate> {
    const proxy = await FaultyProxy.start(this.cluster.admin);
    const client = new ApiClient({ access: fixedAccess(proxy.url) });
    const { namespace, name, timing } = this;
    const log = { info: () => undefined, warn: () => undefined };
    const elector = new Elector({ client, namespace, name, identity, timing, log, ...options });
    const terms: LivedTerm[] = [];
    elector.onChange((term) => {
      if (!term) return;
      const lived = { who: identity, epoch: term.epoch, from: performance.now(), until: Infinity };
      terms.push(lived);
      const end = (): void => void (lived.until = performance.now());
      if (term.signal.aborted) end();
      else term.signal.addEventListener('abort', end, { once: true });
    });
    onTestFinished(async () => {
      proxy.fault = () => undefined;
      proxy.up();
      await elector.stop();
      await client.close();
      await proxy.stop();
    });
    elector.start();
    const candidate = { elector, proxy, terms };
    this.all.push(candidate);
    return candidate;
  }

  get leading(): Candidate[] {
    return this.all.filter(({ elector }) => elector.isLeader);
  }

  /** All terms in the order of their epochs. */
  get terms(): LivedTerm[] {
    return this.all.flatMap(({ terms }) => terms).sort((a, b) => a.epoch - b.epoch);
  }

  get path(): string {
    return `/apis/coordination.k8s.io/v1/namespaces/${this.namespace}/leases/${this.name}`;
  }

  async lease(): Promise<LeaseObject> {
    return (await this.cluster.api.call('GET', this.path)) as unknown as LeaseObject;
  }
}

/** Where a term began before an earlier one had ended, or did not get an epoch of its own. */
export function overlaps(terms: readonly LivedTerm[]): string[] {
  return terms.flatMap((term, index) => {
    const before = terms[index - 1];
    if (!before || (before.until <= term.from && before.epoch < term.epoch)) return [];
    return [`${JSON.stringify(before)} and ${JSON.stringify(term)}`];
  });
}
