import type { Answer } from './engine-client.js';
import { createTestDatabase } from './postgres.js';

/** A request of a test, as it was written for standalone mode. */
export interface Said {
  method: string;
  /** Below `/v1alpha2`, with its query. */
  path: string;
  body?: unknown;
  headers?: Record<string, string> | undefined;
}

export type Send = (said: Said) => Promise<Answer>;

/** Where engines keep their objects: all in which the modes differ for a test that speaks HTTP. */
export interface EnginePlace {
  /** Engines with the same text share what they have. */
  readonly url: string;
  /** Configuration keys. */
  readonly flags: Readonly<Record<string, unknown>>;
  readonly password: string;
  /** What tests call `default`. */
  readonly namespace: string;
  /** Whether a test speaks to an engine that does not lead: it needs another one, which came first. */
  readonly throughFollower: boolean;
  /** Says to an engine what a test says, in the way of this place. */
  request(said: Said, send: Send): Promise<Answer>;
  /** Resolves when an engine at this address serves all routes. */
  serves(url: string): Promise<void>;
  drop(): Promise<void>;
}

export type OpenPlace = (url: string | undefined) => Promise<EnginePlace>;

let openElsewhere: OpenPlace | undefined;

/** From now on engines run somewhere else than on a database. */
export function runElsewhere(open: OpenPlace): void {
  openElsewhere = open;
}

/** Whether a test runs in Kubernetes mode: only for looks behind the engine. */
export function isElsewhere(): boolean {
  return openElsewhere !== undefined;
}

/** @param url the place of another engine; one of its own when left out */
export function openPlace(url?: string): Promise<EnginePlace> {
  return (openElsewhere ?? openDatabase)(url);
}

async function openDatabase(url: string | undefined): Promise<EnginePlace> {
  const database = url === undefined ? await createTestDatabase() : undefined;
  const databaseUrl = url ?? database?.url ?? '';
  return {
    url: databaseUrl,
    flags: { databaseUrl },
    password: '',
    namespace: 'default',
    throughFollower: false,
    request: (said, send) => send(said),
    serves: () => Promise.resolve(),
    drop: async () => database?.drop(),
  };
}
