// An engine process of its own, to be killed: claims lanes, and keeps a diary of its runs in the table `diary`.
// Arguments: database URL, name of the worker, milliseconds that a run takes, concurrency.
import 'reflect-metadata';
import { connectQueue, outcomeOf } from './connect.js';
import { startManager } from './manager.js';
import { keepDiary } from './diary.js';

const [url = '', worker = '', runMs = '0', concurrency = '1'] = process.argv.slice(2);
const { store, wakeups, database } = await connectQueue(url);
wakeups.start();
startManager(
  store,
  keepDiary(database, worker, Number(runMs), () => outcomeOf()),
  {
    concurrency: Number(concurrency),
    worker,
  },
);
process.stdout.write('ready\n');
