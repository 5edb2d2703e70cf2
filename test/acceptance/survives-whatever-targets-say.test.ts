import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestEngine, type Wire } from '../support/engine.js';
import { OddScripts, type OddScript } from '../support/odd-scripts.js';

let scripts: OddScripts;
let engine: TestEngine;

beforeAll(async () => {
  scripts = await OddScripts.make();
  engine = await TestEngine.start({ config: { 'providers.script.allowedFolders': scripts.folder } });
});
afterAll(async () => {
  await engine.stop();
  await scripts.drop();
});

/** Deploys `c` to a target for each of the scripts. */
async function deploy(name: string, targets: Record<string, OddScript>): Promise<void> {
  for (const [target, script] of Object.entries(targets)) {
    const topologies = await scripts.topologies(target, script);
    await engine.target(target, { properties: { line: name }, topologies });
  }
  await engine.solution(name, [{ name: 'c' }]);
  await engine.instance(name, { solution: name, target: { selector: { line: name } } });
}

const answers = (result: object): string => `echo '${JSON.stringify({ c: result })}' >"$out"`;

const shows = (name: string, reason: string): Promise<Wire> =>
  engine.until(
    `${name} to be ${reason}`,
    async () => {
      const wire = await engine.get('instances', name);
      return wire?.status?.reason === reason ? wire : undefined;
    },
    () => engine.get('instances', name),
  );

test('NUL in the words of a target that cannot be read: the others get what they are to get', async () => {
  await deploy('unread', {
    'unread-bad': { get: `printf 'a\\0b' >&2; exit 1` },
    'unread-good': { apply: answers({ status: 8004, message: '' }) },
  });
  const { status } = await shows('unread', 'ProviderFailed');
  expect(status?.statusDetails).toContain('a\ufffdb');
  expect(await scripts.applied('unread-good')).toBeGreaterThan(0);
});

test.each([
  ['NUL', 'nul', 'a\0b'],
  ['half a character', 'half', 'a\ud83db'],
])('%s in a result: its outcome is written', async (_what, name, message) => {
  await deploy(name, { [name]: { apply: answers({ status: 500, message }) } });
  const { status } = await shows(name, 'ProviderFailed');
  expect(status?.statusDetails).toContain('a\ufffdb');
});

test('NUL in what was accepted: it is remembered, and not asked for again', async () => {
  const pending = { status: 8001, message: 'a\0b', pending: { ticket: 't\0' } };
  await deploy('accepted', { accepted: { apply: answers(pending) } });
  await shows('accepted', 'Pending');
  const lane = (): Promise<{ doneSeq: string; orderSeq: string }> =>
    engine.ok('GET', '/jobs/Instance/default/accepted');
  const before = await lane();
  await engine.ok('POST', '/solution/queue?instance=accepted');
  await engine.until('a run to end', async () =>
    Number((await lane()).doneSeq) > Number(before.orderSeq) ? true : undefined,
  );
  expect(await scripts.applied('accepted')).toBe(1);
});

test('NUL in what a target reports of a component that does not work', async () => {
  const found = [
    { name: 'c', health: { status: 'unhealthy', message: 'a\0b' }, properties: { 'k\0': 'v\0' } },
  ];
  const file = join(scripts.folder, 'found.json');
  await writeFile(file, JSON.stringify(found));
  await deploy('unhealthy', {
    unhealthy: { get: `if [ -f "$folder/applied" ]; then cat '${file}'; else echo '[]'; fi >"$out"` },
  });
  await engine.settled('instances', 'unhealthy');
  await engine.ok('POST', '/solution/queue?instance=unhealthy');
  const { status } = await shows('unhealthy', 'Unhealthy');
  expect(status?.statusDetails).toContain('a\ufffdb');
});

test.each([0, 1])(
  'a long message is cut between characters, wherever that is (shifted by %i)',
  async (shift) => {
    const name = `long-${shift}`;
    const message = 'x'.repeat(shift) + '😀'.repeat(1_100);
    await deploy(name, { [name]: { apply: answers({ status: 500, message }) } });
    const { status } = await shows(name, 'ProviderFailed');
    expect(status?.statusDetails).toMatch(/(😀)+…$/u);
    const jobs = await engine.ok<{ name: string; kind: string; reason?: string }[]>('GET', '/jobs');
    expect(jobs.find((job) => job.name === name && job.kind === 'Instance')?.reason).toBe('ProviderFailed');
  },
);
