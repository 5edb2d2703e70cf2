import type { RunRecord } from '../queue/index.js';

export interface RunPage {
  items: RunRecord[];
  /** Opaque; undefined on the last page. */
  next?: string;
}

/** The runs of an object, newest first; pruned by age and count. */
export abstract class RunHistory {
  abstract list(objectUid: string, limit: number, after?: string): Promise<RunPage>;
  abstract get(objectUid: string, runId: string): Promise<RunRecord | undefined>;
  /** Deletes what is older than `maxAgeMs`, and of each object all but the newest `keep`. @returns how many went. */
  abstract prune(maxAgeMs: number, keep: number): Promise<number>;
}
