import type { SummaryResult } from '@symphony/model';

/** The newest outcome of each object, in Symphony's form. Written with the run's outcome (`RunOutcome.summary`). */
export abstract class SummaryStore {
  /** @param key `<name>` or `<name>-<guid>`; `target-runtime-<target>` for targets */
  abstract get(namespace: string, key: string): Promise<SummaryResult | undefined>;
  /** Marks it as removed and keeps it, as Symphony does. @returns false when there is none. */
  abstract softDelete(namespace: string, key: string): Promise<boolean>;
}
