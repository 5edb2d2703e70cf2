import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { processesOf } from '../../src/modes/standalone/embedded/processes.js';
import type { Answer } from './engine-client.js';
import { createTestDatabase } from './postgres.js';
import type { RawRequest } from './raw-http.js';

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
  /** More of them for an engine that may be killed: another one follows it after five seconds or so. */
  readonly flagsOfProcess: Readonly<Record<string, unknown>>;
  readonly password: string;
  /** What tests call `default`. */
  readonly namespace: string;
  /** Whether a test speaks to an engine that does not lead: it needs another one, which came first. */
  readonly throughFollower: boolean;
  /** Says to an engine what a test says, in the way of this place. */
  request(said: Said, send: Send): Promise<Answer>;
  /** The same for a request that is sent byte for byte. */
  raw(request: RawRequest): RawRequest;
  /** Resolves when an engine at this address serves all routes. */
  serves(url: string): Promise<void>;
  drop(): Promise<void>;
}

export type OpenPlace = (url: string | undefined) => Promise<EnginePlace>;

const ENDS_MS = 30_000;

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

/** Of a single engine: in standalone mode it has its database in itself. What such an engine starts ends with it. */
export async function openPlaceOfOne(): Promise<EnginePlace> {
  if (openElsewhere) return openElsewhere(undefined);
  const dataDir = await mkdtemp(join(tmpdir(), 'symphony-kill-'));
  return placeOf(dataDir, { dataDir }, async () => {
    const cluster = join(dataDir, 'postgres', '18');
    const deadline = performance.now() + ENDS_MS;
    while ((await processesOf(cluster)).length > 0) {
      if (performance.now() > deadline) throw new Error(`processes of the database in ${cluster} still live`);
      await delay(20);
    }
    await rm(dataDir, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  });
}

async function openDatabase(url: string | undefined): Promise<EnginePlace> {
  if (url !== undefined) return placeOf(url, { databaseUrl: url });
  const database = await createTestDatabase();
  return placeOf(database.url, { databaseUrl: database.url }, () => database.drop());
}

/** A place of standalone mode. */
export function placeOf(
  url: string,
  flags: EnginePlace['flags'],
  drop: () => Promise<void> = () => Promise.resolve(),
): EnginePlace {
  return {
    url,
    flags,
    flagsOfProcess: {},
    password: '',
    namespace: 'default',
    throughFollower: false,
    request: (said, send) => send(said),
    raw: (request) => request,
    serves: () => Promise.resolve(),
    drop,
  };
}
