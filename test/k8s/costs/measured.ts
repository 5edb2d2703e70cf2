import { setTimeout as delay } from 'node:timers/promises';
import type { AuditLog } from '../../support/control-plane/audit-log.js';
import { isWrite, requestsOfEngine } from '../../support/engine-requests.js';
import { EngineClient } from '../../support/engine-client.js';
import { manifest } from '../../support/kubernetes-flow.js';
import { parsePrometheus } from '../../support/prometheus.js';

/** Histories are written five seconds after there was news; what belongs to a change has been written by then. */
const AFTERWARDS_MS = 7_000;

/** What was asked of the API server while something was done, and afterwards, in one namespace. */
export interface Measured {
  requests: Map<string, number>;
  /** Beside the Lease, which is renewed whatever happens, and Events, which nobody waits for. */
  writes: Map<string, number>;
  seconds: number;
}

export async function measured(
  audit: AuditLog,
  namespace: string,
  work: () => Promise<unknown>,
  afterwardsMs = AFTERWARDS_MS,
): Promise<Measured> {
  await audit.forget();
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  await delay(afterwardsMs);
  const requests = requestsOfEngine(await audit.events(), namespace);
  const writes = new Map([...requests].filter(([what]) => isWrite(what) && !/ (leases|events)$/.test(what)));
  return { requests, writes, seconds };
}

/**
 * The writes of one change, without the progress of a run that took long, as everything does on a busy machine: it is shown once a
 * second at most.
 */
export function writesOf({ writes, seconds }: Measured): Map<string, number> {
  const status = 'patch instances/status';
  const progress = Math.max(0, (writes.get(status) ?? 0) - 1);
  if (progress === 0 || progress > Math.floor(seconds)) return writes;
  return new Map([...writes, [status, 1]]);
}

/** A target of the mock provider, which answers at once. */
export function mockTarget(name: string, spec: object = {}): object {
  const binding = { role: 'instance', provider: 'providers.target.mock', config: {} };
  return manifest('targets', name, { topologies: [{ bindings: [binding] }], ...spec });
}

/** What an engine's process has counted so far, by the name of the metric. @param labels only series with all of these */
export async function counted(
  url: string,
  metric: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const client = new EngineClient(url);
  await client.login();
  const answer = await fetch(`${url}/metrics`, { headers: client.authorization });
  return parsePrometheus(await answer.text())
    .filter((series) => series.name === metric)
    .filter((series) => Object.entries(labels).every(([name, value]) => series.labels[name] === value))
    .reduce((sum, { value }) => sum + value, 0);
}
