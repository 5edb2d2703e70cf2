import {
  ExpressionError,
  evaluateValue,
  gatherLookups,
  LookupTable,
  resolveLookups,
  type EvaluationContext,
  type LookupAnswer,
  type LookupNeed,
} from '@symphony/expressions';
import {
  keyedDigest,
  reason,
  type BindingSpec,
  type ComponentSpec,
  type Deployment,
  type DeploymentTarget,
  type LedgerEntry,
  type ResolvedComponent,
} from '@symphony/model';
import { constraintCheck, type ConstraintCheck, type Unresolved } from '@symphony/planning';
import { redactor } from '@symphony/provider-kit';
import type { ValueSources } from './values/value-source.js';

/** What of a component may hold expressions. */
type Templates = Pick<ComponentSpec, 'metadata' | 'properties' | 'sidecars'>;

interface Evaluated<T> {
  value: T;
  sensitive: readonly string[];
}

/**
 * The expressions of one run: looks values up once, remembers which texts are secrets, and forgets all of it with the run.
 */
export class RunValues {
  readonly #table = new LookupTable();
  readonly #secrets = new Set<string>();
  #redact: ((text: string) => string) | undefined;

  constructor(
    private readonly sources: ValueSources,
    private readonly digestKey: Uint8Array,
    private readonly namespace: string,
    private readonly signal: AbortSignal,
  ) {}

  /** Replaces every value that was resolved from a secret so far. */
  readonly redact = (text: string): string => {
    this.#redact ??= redactor([...this.#secrets]);
    return this.#redact(text);
  };

  /** Runs a pure function that may evaluate constraints, answering what it asks for. */
  async withConstraints<T>(run: (constraint: ConstraintCheck) => T): Promise<T> {
    return this.#answering(() => run(constraintCheck(this.#table)));
  }

  /** Resolves the components of all assignments; one that cannot be resolved is told apart and the others are unaffected. */
  async components(
    deployment: Deployment,
  ): Promise<{ resolved: ResolvedComponent[]; unresolved: Unresolved[] }> {
    const byName = new Map(deployment.components.map((component) => [component.name, component]));
    const targets = new Map(deployment.targets.map((target) => [target.name, target]));
    const items = deployment.assignments.flatMap((assignment) => {
      const component = byName.get(assignment.component);
      return component ? [{ assignment, component, target: targets.get(assignment.target) }] : [];
    });
    const evaluated = await this.#answering(() =>
      gatherLookups(items, ({ component, target }) =>
        settled(() => this.#evaluate(templatesOf(component), this.#contextOf(deployment, component, target))),
      ),
    );
    const resolved: ResolvedComponent[] = [];
    const unresolved: Unresolved[] = [];
    items.forEach(({ assignment, component }, index) => {
      const outcome = evaluated[index];
      if (!outcome || outcome instanceof ExpressionError) {
        unresolved.push(unresolvedOf(assignment.target, component.name, outcome));
        return;
      }
      const concrete: ComponentSpec = Object.assign({}, component, outcome.value);
      resolved.push({
        target: assignment.target,
        component: concrete,
        digest: this.digest(concrete, assignment.scope, deployment.metadata),
        sensitive: [...outcome.sensitive],
      });
    });
    return { resolved, unresolved };
  }

  /** Tells a change of what the provider is given, without telling the values. */
  digest(component: ComponentSpec, scope: string, metadata: Record<string, string>): string {
    // A constraint says where a component goes, not what it is. Dependencies count: the ledger orders removals by them.
    const { constraints: _constraints, ...given } = component;
    return keyedDigest(this.digestKey, { component: given, scope, metadata });
  }

  /** The configuration of a binding. @throws ExpressionError */
  async binding(binding: BindingSpec, context: EvaluationContext): Promise<Record<string, string>> {
    const { value } = await this.#answering(() =>
      this.#evaluate(binding.config ?? {}, { ...context, lookups: this.#table }),
    );
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, textOf(item)]));
  }

  /**
   * A formerly applied component, for its removal. What cannot be resolved any more stays as it was declared: a removal
   * must not depend on secrets that are gone.
   */
  async applied(
    entry: LedgerEntry,
    deployment: Deployment,
    target: DeploymentTarget,
  ): Promise<ComponentSpec> {
    const outcome = await this.#evaluateApplied(entry, deployment, target);
    return outcome instanceof ExpressionError
      ? entry.applied
      : Object.assign({}, entry.applied, outcome.value);
  }

  /** Paths within a formerly applied component whose values come from secrets; all, where that cannot be told any more. */
  async sensitiveOf(
    entry: LedgerEntry,
    deployment: Deployment,
    target: DeploymentTarget,
  ): Promise<readonly string[]> {
    const outcome = await this.#evaluateApplied(entry, deployment, target);
    return outcome instanceof ExpressionError ? Object.keys(templatesOf(entry.applied)) : outcome.sensitive;
  }

  #evaluateApplied(
    entry: LedgerEntry,
    deployment: Deployment,
    target: DeploymentTarget,
  ): Promise<Evaluated<Templates> | ExpressionError> {
    const context = this.#contextOf(deployment, entry.applied, target);
    return this.#answering(() => settled(() => this.#evaluate(templatesOf(entry.applied), context)));
  }

  #contextOf(
    deployment: Deployment,
    component: ComponentSpec,
    target: DeploymentTarget | undefined,
  ): EvaluationContext {
    return {
      instance: deployment.instance.metadata.name,
      solution: deployment.solution.name,
      target: target?.name,
      component: component.name,
      parameters: component.parameters ?? {},
      instanceParameters: deployment.parameters,
      properties: target?.spec.properties ?? {},
      lookups: this.#table,
    };
  }

  #evaluate<T extends object>(templates: T, context: EvaluationContext): Evaluated<T> {
    const { value, sensitive } = evaluateValue(templates, context);
    return { value: value as T, sensitive };
  }

  #answering<T>(run: () => T): Promise<T> {
    return resolveLookups(this.#table, (need) => this.#lookup(need), run, this.signal);
  }

  async #lookup(need: LookupNeed): Promise<LookupAnswer> {
    const answer = await this.sources.lookup(need, this.namespace, this.signal);
    if ('value' in answer && (need.kind === 'secret' || answer.sensitive)) this.#remember(answer.value);
    return answer;
  }

  #remember(value: unknown): void {
    if (typeof value === 'string' && value !== '') this.#secrets.add(value);
    else if (typeof value === 'object' && value !== null)
      for (const item of Object.values(value)) this.#remember(item);
    else if (typeof value === 'number') this.#secrets.add(String(value));
    this.#redact = undefined;
  }
}

/** An ExpressionError as a value; anything else (a question, a bug) goes on. */
function settled<T>(run: () => T): T | ExpressionError {
  try {
    return run();
  } catch (error) {
    if (error instanceof ExpressionError) return error;
    throw error;
  }
}

function templatesOf(component: ComponentSpec): Templates {
  const { metadata, properties, sidecars } = component;
  return {
    ...(metadata ? { metadata } : {}),
    ...(properties ? { properties } : {}),
    ...(sidecars ? { sidecars } : {}),
  };
}

function unresolvedOf(target: string, component: string, error: ExpressionError | undefined): Unresolved {
  const code = error?.code === 'ExpressionLookupFailed' ? 'ValueUnavailable' : 'ExpressionFailed';
  const detail = `Component ${JSON.stringify(component)} on target ${JSON.stringify(target)}: ${error?.message ?? 'no value.'}`;
  return { target, component, reason: reason(code, detail) };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
