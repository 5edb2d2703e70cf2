import type { LookupAnswer, LookupNeed } from '@symphony/expressions';
import type { ValueSource } from './value-source.js';

/**
 * Environment variables of the engine that were set for this purpose: `$secret(db, password)` reads
 * `SYMPHONY_SECRET_DB_PASSWORD`, `$config(app, level)` reads `SYMPHONY_CONFIG_APP_LEVEL`. No other variable can be read:
 * who writes solutions must not see the engine's own environment.
 */
export class EnvironmentSource implements ValueSource {
  readonly name = 'env';

  constructor(private readonly environment: Readonly<Record<string, string | undefined>>) {}

  lookup(need: LookupNeed): Promise<LookupAnswer> {
    const prefix = need.kind === 'secret' ? 'SYMPHONY_SECRET' : 'SYMPHONY_CONFIG';
    const variable = [prefix, variablePart(need.object), variablePart(need.field)].join('_');
    const value = need.field === '' ? undefined : this.environment[variable];
    return Promise.resolve(
      value === undefined
        ? { failure: 'NotFound', message: `the variable ${variable} is not set` }
        : { value, sensitive: need.kind === 'secret' },
    );
  }
}

function variablePart(text: string): string {
  return text.toUpperCase().replaceAll(/[^A-Z0-9]/g, '_');
}
