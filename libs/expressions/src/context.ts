import type { LookupTable } from './lookups.js';

/**
 * What an expression may see. Everything is optional: a function whose part is absent fails with
 * `ExpressionMissingValue`. Values are JSON; texts in them are evaluated only where the function says so.
 */
export interface EvaluationContext {
  /** `$instance()` */
  readonly instance?: string;
  /** `$solution()` */
  readonly solution?: string;
  /** `$target()` */
  readonly target?: string;
  /** Name of the component being evaluated; for messages of `$param`. */
  readonly component?: string;
  /** `$param(key)`: the component's own parameters. */
  readonly parameters?: Readonly<Record<string, string>>;
  /** `$param(key)`: parameters of the instance; they win over the component's. */
  readonly instanceParameters?: Readonly<Record<string, string>>;
  /** `$property(key)`: properties of the target. */
  readonly properties?: Readonly<Record<string, string>>;
  /** `$input(key)` */
  readonly inputs?: Readonly<Record<string, unknown>>;
  /** `$output(step, key)` */
  readonly outputs?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** `$trigger(key, default)` */
  readonly triggers?: Readonly<Record<string, unknown>>;
  /** `$val()` and `$context()` */
  readonly value?: unknown;
  /** Answers for `$config` and `$secret`; absent: there is no provider. */
  readonly lookups?: LookupTable;
}
