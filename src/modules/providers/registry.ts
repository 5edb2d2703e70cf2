import { Injectable } from '@nestjs/common';
import { StateCode, type BindingSpec } from '@symphony/model';
import { ProviderError, type ProviderDefinition, type TargetProvider } from '@symphony/provider-kit';

/** The kinds of providers that this engine has. */
@Injectable()
export class ProviderRegistry {
  private readonly definitions = new Map<string, ProviderDefinition>();

  /** @throws Error when the type is taken: two meanings of one name would be settled by the order of loading. */
  register(definition: ProviderDefinition): void {
    if (this.definitions.has(definition.type)) {
      throw new Error(`A provider of type ${definition.type} is registered already.`);
    }
    this.definitions.set(definition.type, definition);
  }

  /** By type string, for example `providers.target.script`; also those that are switched off. */
  definition(type: string): ProviderDefinition | undefined {
    return this.definitions.get(type);
  }

  /** All type strings, sorted. */
  types(): string[] {
    return [...this.definitions.keys()].sort();
  }

  /**
   * Makes the provider of a binding; cheap, opens nothing.
   * @param resolvedConfig the binding's configuration with its expressions resolved
   * @throws ProviderError `ProviderUnknown`, `ProviderDisabled` or `ProviderConfigInvalid`
   */
  create(binding: BindingSpec, resolvedConfig: Readonly<Record<string, string>>): TargetProvider {
    const definition = this.definitions.get(binding.provider);
    if (!definition) {
      throw new ProviderError(
        'ProviderUnknown',
        `There is no provider ${JSON.stringify(binding.provider)}; known are ${this.types().join(', ')}.`,
        StateCode.BadConfig,
      );
    }
    if (definition.disabled !== undefined) {
      throw new ProviderError('ProviderDisabled', definition.disabled, StateCode.BadConfig);
    }
    return definition.create(resolvedConfig, binding);
  }
}
