import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { EmbeddedPostgres } from '../../../src/modes/standalone/embedded/index.js';
import { EngineProcess } from '../../support/engine-process.js';
import { scratchFolder } from './server.js';
import { memoryOf, processorTime } from './usage.js';

/** The built engine as a process of its own, with its embedded database, in a scratch folder. */
export interface BenchEngine {
  client: EngineProcess;
  postgres: string;
  /** A statement on its database, past the engine. */
  sql<T>(text: string, values?: unknown[]): Promise<T[]>;
  /** Of the engine's process and of the database's processes, so far. */
  usage(): Promise<Usage>;
  stop(): Promise<void>;
}

export interface Usage {
  /** Seconds of processor time. */
  engineCpu: number;
  databaseCpu: number;
  /** Now, and the highest so far, in MiB. NaN where there is no /proc. */
  rss: number;
  peakRss: number;
}

export async function startEngine(args: readonly string[] = []): Promise<BenchEngine> {
  const root = await scratchFolder();
  const dataDir = join(root, 'data');
  const client = await EngineProcess.start({ dataDir, args });
  const connection = await EmbeddedPostgres.runningConnection(dataDir);
  if (!connection) throw new Error('the engine has started no database');
  const database = new Client(connection);
  await database.connect();
  const { rows } = await database.query<{ server_version: string }>('SHOW server_version');
  return {
    client,
    postgres: rows[0]?.server_version ?? '?',
    sql: async <T>(text: string, values: unknown[] = []) => (await database.query(text, values)).rows as T[],
    usage: () => usageOf(client.pid ?? 0, dataDir),
    async stop() {
      await database.end();
      await client.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}

async function usageOf(pid: number, dataDir: string): Promise<Usage> {
  return {
    engineCpu: (await processorTime(pid)).own,
    databaseCpu: await databaseTime(dataDir),
    ...(await memoryOf(pid)),
  };
}

/** The server's main process and its children; a backend that ends hands its time to the main process. */
async function databaseTime(dataDir: string): Promise<number> {
  const main = await mainProcess(dataDir);
  if (main === undefined) return Number.NaN;
  const { own, ended } = await processorTime(main);
  const children = await childrenOf(main);
  const times = await Promise.all(children.map(processorTime));
  return own + ended + times.reduce((sum, time) => sum + time.own, 0);
}

async function mainProcess(dataDir: string): Promise<number | undefined> {
  for (const entry of await readdir(dataDir, { recursive: true }).catch(() => [])) {
    if (!entry.endsWith('postmaster.pid')) continue;
    const text = await readFile(join(dataDir, entry), 'utf8');
    return Number(text.split('\n')[0]);
  }
  return undefined;
}

async function childrenOf(pid: number): Promise<number[]> {
  const text = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return text.split(' ').filter(Boolean).map(Number);
}
