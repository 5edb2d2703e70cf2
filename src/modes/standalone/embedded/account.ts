import { readFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { messageOf } from '@symphony/model';
import { EmbeddedDatabaseError } from './errors.js';

/** The operating system's account that PostgreSQL runs as. */
export interface Account {
  name: string;
  uid: number;
  gid: number;
  /** True when this is not the account of this process: we are root and PostgreSQL refuses to run as root. */
  dropped: boolean;
}

const FOR_ROOT = ['postgres', 'nobody'];

/**
 * The account that PostgreSQL runs as: our own, or, as root, the owner of the cluster, else the first of `postgres`
 * and `nobody` that exists. No account is ever created: /etc/passwd is only read.
 * @param owner user id of the owner of the cluster's files, when there is one
 */
export async function chooseAccount(owner?: number): Promise<Account> {
  if (process.platform === 'win32') {
    throw new EmbeddedDatabaseError(
      'The embedded database does not run on Windows yet: use WSL, or give a PostgreSQL server with --database-url.',
      'EmbeddedDatabaseUnsupported',
    );
  }
  const uid = process.getuid?.() ?? 0;
  const gid = process.getgid?.() ?? 0;
  if (uid !== 0) return { name: ownName(uid), uid, gid, dropped: false };
  if (process.platform !== 'linux') {
    throw new EmbeddedDatabaseError(
      'As root the embedded database runs on Linux only: start the engine as a normal user, or give a PostgreSQL server with --database-url.',
      'EmbeddedDatabaseUnsupported',
    );
  }
  const entries = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  const wanted = [
    entries.find((fields) => owner !== undefined && Number(fields[2]) === owner),
    ...FOR_ROOT.map((name) => entries.find((fields) => fields[0] === name)),
  ];
  for (const [name, , uid, gid] of wanted.flatMap((entry) => (entry ? [entry] : []))) {
    const found = { name: name ?? '', uid: Number(uid), gid: Number(gid), dropped: true };
    if (found.uid > 0 && found.gid > 0) return found;
  }
  throw new EmbeddedDatabaseError(
    'PostgreSQL refuses to run as root, and this machine has neither a user "postgres" nor a user "nobody" to run it as: start the engine as a normal user, or give a PostgreSQL server with --database-url.',
  );
}

/** The name of the account of this process, as PostgreSQL's peer authentication sees it. */
export function ownName(uid = process.getuid?.() ?? 0): string {
  try {
    return userInfo().username;
  } catch (error) {
    throw new EmbeddedDatabaseError(
      `PostgreSQL needs a named account, but user id ${uid} has no entry in /etc/passwd (${messageOf(error)}): run the engine as a user that has one, or give a PostgreSQL server with --database-url.`,
    );
  }
}
