// From the start of the process until it is ready and has answered a login.
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Client } from 'pg';
import { EmbeddedPostgres } from '../../src/modes/standalone/embedded/index.js';
import { builtMain } from '../support/built.js';
import { EngineProcess } from '../support/engine-process.js';
import { describeMachine, median, postgresText, quick, say, table, timed } from './lib/report.js';
import { scratchFolder } from './lib/server.js';

const ROUNDS = quick ? 1 : 3;
const WARM_PER_ROUND = 2;

say('start: from the start of the process until /readyz is 200 and a login was answered');
// What is measured is the start and not the build.
await builtMain();
const cold: number[] = [];
const warm: number[] = [];
const ends: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const root = await scratchFolder();
  const dataDir = join(root, 'data');
  try {
    let engine: EngineProcess | undefined;
    cold.push(await timed(async () => (engine = await EngineProcess.start({ dataDir }))));
    if (round === 0) describeMachine(postgresText(await versionOf(dataDir)));
    for (let i = 0; i < WARM_PER_ROUND; i++) {
      ends.push(await timed(async () => engine?.stop()));
      warm.push(await timed(async () => engine?.begin()));
    }
    ends.push(await timed(async () => engine?.stop()));
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}
const row = (what: string, ms: number[]): (string | number)[] => [
  what,
  ms.length,
  Math.min(...ms),
  median(ms),
  Math.max(...ms),
];
table(
  ['', 'times', 'min ms', 'median ms', 'max ms'],
  [
    row('cold: a new data folder, initdb and migrations', cold),
    row('warm: the data folder is there', warm),
    row('end: from SIGTERM until everything has ended', ends),
  ],
);

async function versionOf(dataDir: string): Promise<string> {
  const client = new Client(await EmbeddedPostgres.runningConnection(dataDir));
  await client.connect();
  const { rows } = await client.query<{ server_version: string }>('SHOW server_version');
  await client.end();
  return rows[0]?.server_version ?? '?';
}
