// What the demo shows. Each step checks what it claims: a step that does not come true fails the demo.
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ROOT } from './prepare.mjs';

const WAIT_MS = 60_000;
const LOOK_EVERY_MS = 50;
let start;

/** Prints one line with the seconds since the first one. */
export function say(text) {
  start ??= performance.now();
  const seconds = ((performance.now() - start) / 1000).toFixed(1).padStart(6);
  console.log(`${seconds}s  ${text}`);
}

/** Deploys, breaks, heals and changes the sample, and survives a crash. `site` is where the sample puts its files. */
export async function tour(engine, site) {
  say(`Starting the engine (standalone, embedded PostgreSQL, ${engine.url}) ...`);
  await engine.start();
  await engine.logIn();
  say('It has made its database and is ready; we are logged in.');

  const { target, solution, instance } = readSample(site);
  heading(
    '1. Declare: a target (a folder), a solution (two files), an instance (this solution on that target)',
  );
  await engine.call('POST', `targets/registry/${target.metadata.name}`, target);
  await engine.call('POST', `solutions/${solution.metadata.name}`, solution);
  await engine.call('POST', `instances/${instance.metadata.name}`, instance);
  await settled(engine, instance);
  show(site);
  const declared = snapshot(site);
  if (Object.keys(declared).length !== solution.spec.components.length) {
    throw new Error(
      `the engine says that all is deployed, but ${site} holds ${Object.keys(declared).join(', ')}.`,
    );
  }

  heading('2. Break it by hand, and look what the engine would do about it');
  const [first, second] = Object.keys(declared);
  rmSync(join(site, first));
  say(`deleted  ${first}`);
  writeFileSync(join(site, second), 'not what was declared\n');
  say(`wrote    ${second}`);
  printPlan(await engine.call('GET', `instances/${instance.metadata.name}/plan`));
  heading('3. Order a run: it repairs what it finds');
  await engine.call('POST', `solution/queue?instance=${instance.metadata.name}`);
  await until('the files are as declared again', () => equal(snapshot(site), declared));
  show(site);

  heading('4. Change the declaration: another greeting, and from now on a look every two seconds');
  instance.spec.parameters = { ...instance.spec.parameters, greeting: 'Hello again' };
  instance.spec.reconciliationPolicy = { state: 'active', interval: '2s' };
  await engine.call('POST', `instances/${instance.metadata.name}`, instance);
  await settled(engine, instance);
  const changed = snapshot(site);
  if (equal(changed, declared)) throw new Error('the files did not follow the change of the declaration.');
  show(site);

  heading('5. kill -9 the engine, break the sample while it is dead, start it again');
  await engine.kill();
  say('killed');
  for (const file of Object.keys(changed)) rmSync(join(site, file));
  say('deleted every file');
  await engine.start();
  await engine.logIn();
  say('The engine is back. Nobody orders anything now.');
  await until('it has noticed by itself, and the files are back', () => equal(snapshot(site), changed));
}

/** Removes everything again. */
export async function unwind(engine, site) {
  const { target, solution, instance } = readSample(site);
  heading('6. Delete the instance, then the solution and the target');
  for (const [route, { metadata }] of [
    ['instances', instance],
    ['solutions', solution],
    ['targets/registry', target],
  ]) {
    await engine.call('DELETE', `${route}/${metadata.name}`);
    await until(
      `${route}/${metadata.name} is gone`,
      async () => (await engine.call('GET', `${route}/${metadata.name}`)) === undefined,
    );
  }
  const left = Object.keys(snapshot(site));
  if (left.length > 0) throw new Error(`everything is deleted, but ${site} still holds ${left.join(', ')}.`);
  say('Not a file is left.');
}

/** The sample of samples/script, pointed at our folder. */
function readSample(site) {
  const read = (name) => JSON.parse(readFileSync(join(ROOT, 'samples', 'script', `${name}.json`), 'utf8'));
  const target = read('target');
  target.spec.properties.stateFolder = site;
  for (const { config } of target.spec.topologies.flatMap(({ bindings }) => bindings)) {
    config.scriptFolder = join(ROOT, 'samples', 'script');
  }
  return { target, solution: read('solution'), instance: read('instance') };
}

/** Waits until the status speaks of the newest spec and is Succeeded; tells each change on the way. */
async function settled(engine, { metadata }) {
  let told;
  await until(`instance ${metadata.name} is Succeeded`, async () => {
    const found = await engine.call('GET', `instances/${metadata.name}`);
    const { status = {}, metadata: meta = {} } = found ?? {};
    const current = Number(status.observedGeneration) === Number(meta.generation);
    const why = status.reason === status.status ? '' : ` (${status.reason})`;
    const words = current ? `${status.status}${why}` : 'waiting for its run';
    const done = current && status.status === 'Succeeded';
    if (words !== told && !done) say(`instance ${metadata.name}: ${words}`);
    told = words;
    return done;
  });
}

async function until(what, holds) {
  const from = performance.now();
  while (performance.now() - from < WAIT_MS) {
    if (await holds()) {
      say(`${what} (after ${Math.round(performance.now() - from)} ms)`);
      return;
    }
    await delay(LOOK_EVERY_MS);
  }
  throw new Error(`${WAIT_MS / 1000} seconds have passed, and it is still not so that ${what}.`);
}

function heading(text) {
  console.log(`\n${text}`);
}

/** The visible files below a folder and what they hold. */
function snapshot(folder) {
  const files = {};
  if (!existsSync(folder)) return files;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name.startsWith('.')) continue;
    if (entry.isFile()) files[entry.name] = readFileSync(join(folder, entry.name), 'utf8');
    if (!entry.isDirectory()) continue;
    const inner = snapshot(join(folder, entry.name));
    for (const [name, content] of Object.entries(inner)) files[join(entry.name, name)] = content;
  }
  return files;
}

function equal(left, right) {
  const files = Object.keys(left);
  return files.length === Object.keys(right).length && files.every((file) => left[file] === right[file]);
}

function show(folder) {
  for (const [file, content] of Object.entries(snapshot(folder))) {
    say(`on disk  ${file}: ${JSON.stringify(content)}`);
  }
}

function printPlan(plan) {
  const actions = plan.targets.flatMap(({ name, actions }) =>
    actions.map((action) => ({ ...action, target: name })),
  );
  if (plan.inSync || actions.length === 0)
    throw new Error(`the plan sees no damage: ${JSON.stringify(plan)}`);
  for (const { action, component, target, reason } of actions) {
    say(`plan     ${action} ${component} on ${target}: ${reason.message}`);
  }
}
