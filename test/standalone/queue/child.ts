// An engine process of its own, to be killed: claims lanes, and keeps a diary of its runs in the table `diary`.
// Arguments: database URL, name of the worker, milliseconds that a run takes, concurrency; then, if wanted, the name of an
// object whose run ends the process, which then is also one that has the store for itself. LEASE_MS: another lease than usual.
import 'reflect-metadata';
import { connectQueue, outcomeOf } from './connect.js';
import { startManager } from './manager.js';
import { keepDiary } from './diary.js';

const [url = '', worker = '', runMs = '0', concurrency = '1', poison] = process.argv.slice(2);
const leaseMs = process.env['LEASE_MS'];
const { store, wakeups, database } = await connectQueue(url);
wakeups.start();
const work = keepDiary(database, worker, Number(runMs), () => outcomeOf());
startManager(
  store,
  (claim, control) => {
    if (claim.name === poison) process.kill(process.pid, 'SIGKILL');
    return work(claim, control);
  },
  {
    concurrency: Number(concurrency),
    worker,
    sole: poison !== undefined,
    ...(leaseMs === undefined ? {} : { leaseMs: Number(leaseMs) }),
  },
);
process.stdout.write('ready\n');
