import { Test } from '@nestjs/testing';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ProviderRegistry, ProvidersModule, type ProvidersOptions } from './index.js';

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'providers-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));

async function registryWith(options: Partial<ProvidersOptions>): Promise<ProviderRegistry> {
  const script = { allowedFolders: [], stagingRoot: join(root, 'staging') };
  const module = await Test.createTestingModule({
    imports: [ProvidersModule.forRoot({ script, ...options })],
  }).compile();
  await module.init();
  return module.get(ProviderRegistry);
}

const binding = (provider: string) => ({ role: 'instance', provider });
const SCRIPTS = { applyScript: 'a', removeScript: 'b', getScript: 'c' };

describe('the registry', () => {
  it('names the known providers when it does not know one', async () => {
    const registry = await registryWith({});
    expect(() => registry.create(binding('providers.target.scripts'), {})).toThrow(
      expect.objectContaining({
        reason: 'ProviderUnknown',
        stateCode: 1000,
        message: expect.stringContaining('providers.target.mock, providers.target.script') as string,
      }) as Error,
    );
    expect(registry.definition('toString')).toBeUndefined();
  });

  it('names the key that switches a provider on', async () => {
    const registry = await registryWith({ mock: { enabled: false } });
    for (const [type, key] of [
      ['providers.target.script', 'providers.script.allowedFolders'],
      ['providers.target.mock', 'providers.mock.enabled'],
    ] as const) {
      expect(() => registry.create(binding(type), SCRIPTS)).toThrow(
        expect.objectContaining({
          reason: 'ProviderDisabled',
          message: expect.stringContaining(key) as string,
        }) as Error,
      );
    }
  });

  it('makes what is switched on', async () => {
    const registry = await registryWith({ script: { allowedFolders: [root], stagingRoot: join(root, 's') } });
    expect(registry.create(binding('providers.target.script'), SCRIPTS).rule).toBeDefined();
    expect(registry.create(binding('providers.target.mock'), {}).rule).toBeDefined();
    expect(() => registry.create(binding('providers.target.script'), {})).toThrow("'applyScript' is missing");
  });

  it('takes no two providers of one name', async () => {
    const registry = await registryWith({});
    const definition = registry.definition('providers.target.mock');
    expect(() => definition && registry.register(definition)).toThrow('registered already');
  });
});
