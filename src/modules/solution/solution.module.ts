import { Module, type DynamicModule, type OnApplicationShutdown } from '@nestjs/common';
import { Events } from '../events/index.js';
import { ProviderRegistry } from '../providers/index.js';
import { DesiredStateReader } from './desired-state.js';
import { DigestKey } from './digest-key.js';
import { Explainer } from './explain.js';
import { Housekeeping, HOUSEKEEPING_OPTIONS, type HousekeepingOptions } from './housekeeping.js';
import { ProviderCalls } from './provider-calls.js';
import { RunPlanner } from './run-planner.js';
import { InstanceRunsController, TargetRunsController } from './solution.controllers.js';
import { SharedSlots } from './shared-slots.js';
import { TargetHealth } from './target-health.js';
import { TargetSlots } from './target-slots.js';
import { EnvironmentSource } from './values/environment-source.js';
import { FileSource } from './values/file-source.js';
import { SourcesOfMode, ValueSources } from './values/value-source.js';

export interface SolutionOptions {
  /** Deadline of one provider call, in milliseconds. */
  callTimeoutMs: number;
  /** Targets that one run reads or changes at once. */
  targetsAtOnce: number;
  /** Where `$secret` and `$config` find files. */
  folders: { secret?: string; config?: string };
  environment: Readonly<Record<string, string | undefined>>;
  history: HousekeepingOptions;
}

class ProviderCallsCloser implements OnApplicationShutdown {
  constructor(private readonly calls: ProviderCalls) {}

  onApplicationShutdown(): Promise<void> {
    return this.calls.close();
  }
}

/** Builds deployments and plans; explains them; keeps the history of runs. */
@Module({})
export class SolutionModule {
  static forRoot(options: SolutionOptions, imports: NonNullable<DynamicModule['imports']>): DynamicModule {
    return {
      module: SolutionModule,
      imports,
      controllers: [InstanceRunsController, TargetRunsController],
      providers: [
        {
          provide: ValueSources,
          useFactory: (ofMode?: SourcesOfMode) =>
            new ValueSources([
              new FileSource(options.folders),
              new EnvironmentSource(options.environment),
              ...(ofMode?.sources ?? []),
            ]),
          inject: [{ token: SourcesOfMode, optional: true }],
        },
        {
          provide: ProviderCalls,
          useFactory: (registry: ProviderRegistry, events: Events, shared?: SharedSlots) =>
            new ProviderCalls(
              registry,
              {
                callTimeoutMs: options.callTimeoutMs,
                onCall: (call) => events.emit('provider.called', call),
              },
              new TargetSlots({}, shared),
            ),
          inject: [ProviderRegistry, Events, { token: SharedSlots, optional: true }],
        },
        {
          provide: ProviderCallsCloser,
          useFactory: (calls: ProviderCalls) => new ProviderCallsCloser(calls),
          inject: [ProviderCalls],
        },
        {
          provide: RunPlanner,
          useFactory: (sources: ValueSources, calls: ProviderCalls, health: TargetHealth, key: DigestKey) =>
            new RunPlanner(sources, calls, health, {
              digestKey: key.bytes,
              targetsAtOnce: options.targetsAtOnce,
            }),
          inject: [ValueSources, ProviderCalls, TargetHealth, DigestKey],
        },
        {
          provide: Explainer,
          useFactory: (reader: DesiredStateReader, planner: RunPlanner) => new Explainer(reader, planner),
          inject: [DesiredStateReader, RunPlanner],
        },
        { provide: HOUSEKEEPING_OPTIONS, useValue: options.history },
        Housekeeping,
      ],
      exports: [RunPlanner, ProviderCalls],
    };
  }
}
