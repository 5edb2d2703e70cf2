import { chmod, mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ApplyResults, TargetProvider } from '@symphony/provider-kit';
import { ScriptFolder } from './script-folder.fixture.js';
import { scriptProvider } from './index.js';

let folder: ScriptFolder;
beforeEach(async () => {
  folder = await ScriptFolder.make();
  await folder.script('apply.sh', 'touch "$root/ran"; echo "{}" >"$out"');
});
afterEach(() => folder.dispose());

function apply(provider: TargetProvider, dryRun = false): Promise<ApplyResults> {
  const component = { name: 'a' };
  const call = folder.call([component]);
  return provider.apply({ ...call, steps: [{ action: 'update', component }], dryRun, isFirst: true });
}

async function expectRefusal(provider: TargetProvider, reason: string, words: string): Promise<void> {
  for (const dryRun of [true, false]) {
    await expect(apply(provider, dryRun)).rejects.toMatchObject({
      reason,
      message: expect.stringContaining(words) as string,
    });
  }
  await expect(folder.read('ran')).rejects.toThrow();
  expect(await folder.leftFiles()).toEqual([]);
}

describe('a folder', () => {
  it('is refused when it is not allowed, and the error names the key to set', async () => {
    const other = await folder.mkdir('other');
    await expectRefusal(folder.provider({}, [other]), 'ProviderDisabled', 'providers.script.allowedFolders');
  });

  it('is refused when it only begins like an allowed one', async () => {
    await rename(folder.scripts, folder.path('allowed-not'));
    await folder.mkdir('allowed');
    const provider = folder.provider({ scriptFolder: folder.path('allowed-not') }, [folder.path('allowed')]);
    await expectRefusal(provider, 'ProviderDisabled', 'allowed-not');
  });

  it('is refused when it is a link out of the allowed one', async () => {
    const allowed = await folder.mkdir('allowed');
    await symlink(folder.scripts, join(allowed, 'scripts'));
    const provider = folder.provider({ scriptFolder: join(allowed, 'scripts') }, [allowed]);
    await expectRefusal(provider, 'ProviderDisabled', 'does not lie in a folder');
  });

  it('is accepted through a link that leads into the allowed one', async () => {
    await symlink(folder.scripts, folder.path('link'));
    await apply(folder.provider({ scriptFolder: folder.path('link') }, [folder.scripts]));
    expect(await folder.read('ran')).toBe('');
  });

  it('is off altogether when none is allowed', () => {
    expect(scriptProvider({ allowedFolders: [] }).disabled).toContain('providers.script.allowedFolders');
    expect(scriptProvider({ allowedFolders: ['/x'] }).disabled).toBeUndefined();
  });
});

describe('a script', () => {
  it('is refused when it is a link out of the allowed folder', async () => {
    const outside = await folder.mkdir('outside');
    await rename(join(folder.scripts, 'apply.sh'), join(outside, 'apply.sh'));
    await symlink(join(outside, 'apply.sh'), join(folder.scripts, 'apply.sh'));
    await expectRefusal(folder.provider({}, [folder.scripts]), 'ProviderDisabled', 'apply.sh');
  });

  it('is refused when its name climbs out of the allowed folder', async () => {
    await rename(join(folder.scripts, 'apply.sh'), folder.path('apply.sh'));
    const provider = folder.provider({ applyScript: '../apply.sh' }, [folder.scripts]);
    await expectRefusal(provider, 'ProviderDisabled', 'does not lie in a folder');
  });

  it('is refused by name when it is not there, not executable or not a file', async () => {
    const path = join(folder.scripts, 'apply.sh');
    await chmod(path, 0o644);
    await expectRefusal(folder.provider(), 'ProviderConfigInvalid', 'chmod +x');
    await rm(path);
    await expectRefusal(folder.provider(), 'ProviderConfigInvalid', `The script '${path}' cannot be found`);
    await mkdir(path);
    await expectRefusal(folder.provider(), 'ProviderConfigInvalid', 'is not a file');
  });

  it('is refused by name when its interpreter is not there', async () => {
    await writeFile(join(folder.scripts, 'apply.sh'), '#!/no/such/interpreter\n', { mode: 0o755 });
    await expect(apply(folder.provider())).rejects.toMatchObject({
      reason: 'ProviderConfigInvalid',
      message: expect.stringContaining('cannot be executed') as string,
    });
  });

  it('is not a shell line', async () => {
    const provider = folder.provider({ applyScript: 'apply.sh; touch ran' });
    await expectRefusal(provider, 'ProviderConfigInvalid', 'cannot be found');
  });
});

it('writes its exchange only where the configuration of the engine lets it', async () => {
  const elsewhere = { stagingFolder: '/' };
  await expectRefusal(folder.provider(elsewhere), 'ProviderConfigInvalid', 'stagingFolder');
  const missing = { stagingFolder: folder.path('missing') };
  await expectRefusal(folder.provider(missing), 'ProviderConfigInvalid', 'stagingFolder');
});

it('does not use a private folder that others can read', async () => {
  await mkdir(folder.staging, { mode: 0o755 });
  await chmod(folder.staging, 0o755);
  await expect(apply(folder.provider())).rejects.toThrow('mode 0700');
});

describe('a configuration', () => {
  it.each([
    [{ applyScript: '' }, "'applyScript' is missing"],
    [{ getScript: ' ' }, "'getScript' is missing"],
    [{ removeScript: '/bin/sh' }, "'removeScript' must be a file name"],
    [{ scriptFolder: 'https://example.com/scripts' }, 'not fetched from the network'],
    [{ scriptFolder: 'HTTP://example.com' }, 'not fetched from the network'],
    [{ scriptEngine: 'python' }, "'bash' or 'powershell'"],
  ])('is refused at once: %o', (config, message) => {
    expect(() => folder.provider(config)).toThrow(message);
    expect(() => folder.provider(config)).toThrow(
      expect.objectContaining({ reason: 'ProviderConfigInvalid' }) as Error,
    );
  });

  it('may have keys that the provider does not know', () => {
    expect(() => folder.provider({ name: 'script', inCluster: 'false' })).not.toThrow();
  });
});
