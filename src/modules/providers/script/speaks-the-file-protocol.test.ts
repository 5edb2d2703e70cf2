import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ComponentSpec } from '@symphony/model';
import type { ApplyResults, ComponentStep } from '@symphony/provider-kit';
import { ScriptFolder } from './script-folder.fixture.js';

let folder: ScriptFolder;
beforeEach(async () => {
  folder = await ScriptFolder.make();
});
afterEach(() => folder.dispose());

const component = (name: string): ComponentSpec => ({ name, properties: { content: 'x' } });

function apply(action: ComponentStep['action'], names: string[], config = {}): Promise<ApplyResults> {
  const steps = names.map((name) => ({ action, component: component(name) }));
  const call = folder.call(steps.map((step) => step.component));
  return folder.provider(config).apply({ ...call, steps, dryRun: false, isFirst: true });
}

function get(names: string[], config = {}): Promise<ComponentSpec[]> {
  const call = folder.call(names.map(component));
  const references = names.map((name) => ({ action: 'update' as const, component: component(name) }));
  return folder.provider(config).get({ ...call, references });
}

describe('what a script is given', () => {
  it('is the deployment, indented by one space, and bare components for apply and remove', async () => {
    for (const [action, script] of [
      ['update', 'apply.sh'],
      ['delete', 'remove.sh'],
    ] as const) {
      await folder.script(
        script,
        'cp "$1" "$root/deployment"; cp "$2" "$root/components"; echo "{}" >"$out"',
      );
      expect(await apply(action, ['a', 'b'])).toEqual({});
      const { deployment } = folder.call([component('a'), component('b')]);
      expect(await folder.read('deployment')).toBe(JSON.stringify(deployment, undefined, 1));
      expect(JSON.parse(await folder.read('components'))).toEqual([component('a'), component('b')]);
    }
  });

  it('is components with their actions for get', async () => {
    await folder.script('get.sh', 'cp "$2" "$root/steps"; echo "[]" >"$out"');
    await get(['a']);
    expect(JSON.parse(await folder.read('steps'))).toEqual([{ action: 'update', component: component('a') }]);
  });

  it('has absolute paths, named <uuid>.json and <uuid>-ref.json, that only this user can read', async () => {
    await folder.script(
      'apply.sh',
      'echo "$1 $2" >"$root/names"; stat -c %a "$1" "$2" "$(dirname "$1")" >"$root/modes"; echo "{}" >"$out"',
    );
    await apply('update', ['a']);
    const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}';
    expect(await folder.read('names')).toMatch(new RegExp(`^/.*/${uuid}\\.json /.*/${uuid}-ref\\.json\n$`));
    expect(await folder.read('modes')).toBe('600\n600\n700\n');
  });

  it('lies in the staging folder that the configuration names', async () => {
    const staging = await folder.mkdir('my staging');
    await folder.script('apply.sh', 'dirname "$1" >"$root/where"; echo "{}" >"$out"');
    await apply('update', ['a'], { stagingFolder: staging });
    expect(await folder.read('where')).toBe(`${staging}\n`);
    expect(await readdir(staging)).toEqual([]);
  });
});

describe('what a script answers', () => {
  const answer = (value: unknown): string => `cat >"$out" <<'END'\n${JSON.stringify(value)}\nEND`;

  it('counts per component: failures fail those, other states are kept, what is left out is untouched', async () => {
    await folder.script(
      'apply.sh',
      answer({
        a: { status: 8004, message: 'fine' },
        b: { status: 8001, message: 'no room' },
        c: { status: 202 },
        e: { status: 'ok' },
        f: 'nonsense',
        stranger: { status: 8001, message: 'not of this step' },
      }),
    );
    expect(await apply('update', ['a', 'b', 'c', 'd', 'e', 'f'])).toEqual({
      a: { status: 8004, message: 'fine' },
      b: { status: 8001, message: 'no room' },
      c: { status: 202, message: '' },
      e: { status: 8001, message: expect.stringContaining('no whole number') as string },
      f: { status: 8001, message: expect.stringContaining('no whole number') as string },
    });
  });

  it('may be pending, with or without what is known of the report to come', async () => {
    await folder.script(
      'apply.sh',
      answer({
        a: { pending: true },
        b: { status: 9994, message: 'sent', pending: { ticket: '7f3a', deadlineSeconds: 60 } },
        c: { status: 8004, pending: false },
        d: { pending: { ticket: 7 } },
        e: { pending: { deadlineSeconds: 0 } },
      }),
    );
    const invalid = { status: 8001, message: expect.stringContaining('must write pending as') as string };
    expect(await apply('update', ['a', 'b', 'c', 'd', 'e'])).toEqual({
      a: { status: 9994, message: '', pending: {} },
      b: { status: 9994, message: 'sent', pending: { ticket: '7f3a', deadlineMs: 60_000 } },
      c: { status: 8004, message: '' },
      d: invalid,
      e: invalid,
    });
  });

  it('may be -output.json for get, as older scripts write it', async () => {
    await folder.script('get.sh', `cat >"\${1%.json}-output.json" <<'END'\n[{"name":"a"},{"name":"z"}]\nEND`);
    expect(await get(['a', 'b'])).toEqual([{ name: 'a' }]);
  });

  it('may be null for an empty list, as Go writes it', async () => {
    await folder.script('get.sh', answer(null));
    expect(await get(['a'])).toEqual([]);
  });

  it.each([
    ['nothing', 'true', 'wrote no output'],
    ['no JSON', 'echo "[{" >"$out"', 'not JSON'],
    ['an object', 'echo "{}" >"$out"', 'a JSON list'],
    ['entries without names', `echo '[{"type":"x"}]' >"$out"`, 'not a component'],
    ['a list of text', `echo '["a"]' >"$out"`, 'not a component'],
    ['a pipe', 'mkfifo "$out"', 'cannot be read'],
    ['a link', 'echo "[]" >"$root/list"; ln -s "$root/list" "$out"', 'cannot be read'],
    ['a folder', 'mkdir "$out"', 'cannot be read'],
    ['far too much', 'head -c 11000000 /dev/zero | tr "\\0" " " >"$out"', 'larger than 10 MiB'],
  ])('is an error, and no empty list, when get writes %s', async (_title, body, message) => {
    await folder.script('get.sh', body);
    await expect(get(['a'])).rejects.toMatchObject({
      reason: 'ProviderFailed',
      message: expect.stringContaining(message) as string,
    });
    expect(await folder.leftFiles()).toEqual([]);
  });

  it('is an error when apply writes no map', async () => {
    await folder.script('apply.sh', 'echo "[]" >"$out"');
    await expect(apply('update', ['a'])).rejects.toMatchObject({ reason: 'ProviderFailed' });
  });
});

it("leaves the sample's components alone that belong to another owner", async () => {
  await apply('update', ['a']);
  const steps = [{ action: 'update' as const, component: { name: 'a', properties: { content: 'mine!' } } }];
  const other = folder.call([], {
    owner: { kind: 'Instance', namespace: 'default', name: 'other', uid: 'other-uid' },
  });
  const results = await folder.provider().apply({ ...other, steps, dryRun: false, isFirst: true });
  expect(results['a']?.status).toBe(8001);
  const removal = [{ action: 'delete' as const, component: component('a') }];
  await folder.provider().apply({ ...other, steps: removal, dryRun: false, isFirst: true });
  expect(await readdir(join(folder.state, 'default'))).toContain('a');
});

it("sees when the content of the sample's file was changed by hand", async () => {
  await apply('update', ['a', 'b']);
  await writeFile(join(folder.state, 'default', 'a'), 'changed by hand');
  expect((await get(['a', 'b'])).map(({ name }) => name)).toEqual(['b']);
  await apply('update', ['a']);
  expect((await get(['a', 'b'])).map(({ name }) => name)).toEqual(['a', 'b']);
});

it("keeps every character of the sample's content", async () => {
  const content = 'tab\t "quoted" \\back\\\\ é 😀 \u0001 \\n 1.10\r\n12345678901234567890\n\n';
  const steps = [{ action: 'update' as const, component: { name: 'a', properties: { content } } }];
  await folder.provider().apply({ ...folder.call([]), steps, dryRun: false, isFirst: true });
  expect(await folder.read('state/default/a')).toBe(content);
  const found = await folder.provider().get({ ...folder.call([]), references: steps });
  expect(found).toEqual([{ name: 'a', properties: { content } }]);
});
