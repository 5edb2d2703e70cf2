import { Inject, Injectable, Logger, Module, type DynamicModule, type OnModuleInit } from '@nestjs/common';
import { dockerProvider } from './docker/index.js';
import { httpProvider } from './http/index.js';
import { mockProvider } from './mock/index.js';
import { PROVIDERS_OPTIONS, type ProvidersOptions } from './options.js';
import { killLeftovers } from './process/index.js';
import { ProviderRegistry } from './registry.js';
import { defaultStagingRoot, scriptProvider } from './script/index.js';

/** Ends the scripts that a killed engine left running on this machine: before any work, and before its lanes are taken over. */
@Injectable()
export class ScriptLeftovers implements OnModuleInit {
  private readonly logger = new Logger(ScriptLeftovers.name);

  constructor(@Inject(PROVIDERS_OPTIONS) private readonly options: ProvidersOptions) {}

  onModuleInit(): Promise<void> {
    return this.end();
  }

  async end(): Promise<void> {
    const { script } = this.options;
    const { killed, survived, problems } = await killLeftovers(script.stagingRoot ?? defaultStagingRoot());
    if (killed.length > 0) {
      this.logger.warn(`Ended scripts of a former run of the engine: processes ${killed.join(', ')}.`);
    }
    if (survived.length > 0) problems.push(`Processes ${survived.join(', ')} could not be ended.`);
    for (const problem of problems) this.logger.error(`Leftovers of scripts: ${problem}`);
  }
}

function makeRegistry(options: ProvidersOptions): ProviderRegistry {
  const registry = new ProviderRegistry();
  registry.register(scriptProvider(options.script));
  registry.register(mockProvider(options.mock));
  registry.register(dockerProvider(options.docker));
  registry.register(httpProvider(options.http));
  return registry;
}

/** The target providers. */
@Module({})
export class ProvidersModule {
  static forRoot(options: ProvidersOptions): DynamicModule {
    return {
      module: ProvidersModule,
      providers: [
        { provide: PROVIDERS_OPTIONS, useValue: options },
        { provide: ProviderRegistry, useFactory: makeRegistry, inject: [PROVIDERS_OPTIONS] },
        ScriptLeftovers,
      ],
      exports: [ProviderRegistry, ScriptLeftovers],
    };
  }
}
