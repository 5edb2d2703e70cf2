// `npm run demo`: the engine's main job on this machine, for real, in a scratch folder. Installs and builds what is
// missing first. `npm run demo -- --keep` leaves the engine running at the end and says where.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Engine, freePort } from './lib/engine.mjs';
import { fail, prepare, ROOT } from './lib/prepare.mjs';
import { say, tour, unwind } from './lib/tour.mjs';

const args = process.argv.slice(2);
if (args.includes('--help') || args.includes('-h')) {
  console.log('npm run demo            deploy, break, heal, change and remove a sample, then clean up');
  console.log('npm run demo -- --keep  the same, but leave the sample deployed and the engine running');
  process.exit(0);
}
const unknown = args.find((arg) => arg !== '--keep');
if (unknown !== undefined) fail(`The demo does not know ${unknown}; it knows --keep.`, 2);
const keep = args.includes('--keep');

prepare();
const scratch = mkdtempSync(join(tmpdir(), 'symphony-demo-'));
const engine = new Engine({
  dataDir: join(scratch, 'data'),
  logFile: join(scratch, 'engine.log'),
  port: await freePort(),
  args: [
    '--providers-script-allowed-folders',
    join(ROOT, 'samples', 'script'),
    // So that the demo may ask for a look every two seconds; the default is that nobody asks for less than a minute.
    '--reconcile-min-interval',
    '1s',
  ],
});

let cleaning;
/** Stops what was started and deletes what was made, once, whoever asks first. */
function cleanUp() {
  cleaning ??= engine.stop().then(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }));
  return cleaning;
}

for (const [signal, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
]) {
  process.on(signal, () => {
    console.error(`\n${signal}: stopping the engine and deleting ${scratch} ...`);
    cleanUp().then(
      () => process.exit(code),
      () => process.exit(1),
    );
  });
}

try {
  await tour(engine, join(scratch, 'site'));
  if (keep) {
    engine.letGo();
    tellWhere();
  } else {
    await unwind(engine, join(scratch, 'site'));
    await cleanUp();
    say('The engine has stopped, the scratch folder is gone. That was all of it.');
  }
  process.exitCode = 0;
} catch (error) {
  // A signal ended the engine under our feet: its handler has the last word.
  if (cleaning === undefined) {
    console.error(`\nThe demo failed: ${error.message}`);
    console.error(`\nThe last lines of the engine's log:\n${engine.log()}`);
    await cleanUp();
    process.exit(1);
  }
}

function tellWhere() {
  console.log(`
The engine is still running, and the sample is deployed:
  REST API      ${engine.url}/v1alpha2    (user admin, no password; only this machine can connect)
  API page      ${engine.url}/docs
  sample        ${join(scratch, 'site')}
  data folder   ${join(scratch, 'data')}
  log           ${join(scratch, 'engine.log')}
To stop it and clean up:
  kill ${engine.pid}        (and wait until it has ended)
  rm -rf ${scratch}`);
}
