import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chooseAccount, ownName } from '../../src/modes/standalone/embedded/account.js';
import { findBinaries } from '../../src/modes/standalone/embedded/binaries.js';
import { createCluster, setPassword, writeAccessRules } from '../../src/modes/standalone/embedded/cluster.js';
import { launchPostgres, type Log } from '../../src/modes/standalone/embedded/postgres-process.js';
import { freePorts } from './control-plane/ports.js';

export interface TestServer {
  /** Connects as a superuser to a database that tests leave alone. */
  adminUrl: string;
  /** Ends the server and keeps its data, for `resume` at the same address. */
  pause(): Promise<void>;
  resume(): Promise<void>;
  stop(): Promise<void>;
}

/** A log for what a test does not look at. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** npm packages of other PostgreSQL majors, for SYMPHONY_TEST_POSTGRES. */
const OTHER_MAJORS: Readonly<Record<string, string>> = { '14': 'postgres14-linux-x64' };

/**
 * Starts a PostgreSQL for tests in a temporary folder, on loopback, without fsync: its data need not outlive it.
 * @param major `14` for that version; the version of the product when left out
 */
export async function startTestServer(major?: string): Promise<TestServer> {
  const packageName = major === undefined ? undefined : OTHER_MAJORS[major];
  if (major !== undefined && packageName === undefined) {
    throw new Error(`SYMPHONY_TEST_POSTGRES is ${major}, but only 14 is known`);
  }
  const root = await mkdtemp(join(tmpdir(), 'symphony-pg-'));
  const account = await chooseAccount();
  const [binaries] = await findBinaries({
    account,
    copyTo: account.dropped ? '/var/cache/symphony/postgres' : join(root, 'native'),
    packageName,
  });
  if (packageName !== undefined && String(binaries.major) !== major) {
    throw new Error(`SYMPHONY_TEST_POSTGRES is ${major}, but ${packageName} does not run on this machine`);
  }
  const cluster = join(root, 'cluster');
  const options = { binaries, account, cluster };
  const password = randomBytes(18).toString('base64url');
  await createCluster(options, ['--no-sync']);
  await writeAccessRules(cluster, account, ownName());
  await setPassword(options, password);
  // Not from those that systems give away: `resume` needs the same one again.
  const [port] = await freePorts(1);
  const launch = (): ReturnType<typeof launchPostgres> =>
    launchPostgres({
      ...options,
      settings: {
        listen_addresses: '127.0.0.1',
        port: String(port),
        unix_socket_directories: '',
        fsync: 'off',
        synchronous_commit: 'off',
        full_page_writes: 'off',
        max_connections: '300',
        timezone: 'UTC',
      },
      log: silentLog,
      readyMs: 60_000,
    });
  let server = await launch();
  return {
    adminUrl: `postgresql://symphony:${password}@127.0.0.1:${port}/postgres`,
    pause: () => server.stop(),
    async resume() {
      server = await launch();
    },
    async stop() {
      await server.stop();
      await rm(root, { recursive: true, force: true });
    },
  };
}
