import pLimit from 'p-limit';
import { StateCode, type ComponentResultSpec, type ComponentSpec } from '@symphony/model';
import {
  abortError,
  admit,
  applyInOrder,
  ProviderError,
  type ApplyCall,
  type ApplyResults,
  type ComponentStep,
  type GetCall,
  type ObservedComponent,
  type ProviderCall,
  type TargetChange,
  type TargetProvider,
  type ValidationRule,
  type WatchCall,
} from '@symphony/provider-kit';
import { conditionOf } from './condition.js';
import type { DockerConfig } from './config.js';
import { converge, removeComponent } from './converge.js';
import { propertyOf, readDeclaration, type Declaration } from './declaration.js';
import { EngineConnection, EngineError } from './engine/connection.js';
import { DockerEngine, type Inspected } from './engine/engine.js';
import { LABEL, placeLabels } from './labels.js';
import { OwnDoings } from './own-doings.js';
import { containerName, readBack } from './read-back.js';
import { dockerRule, STATE_PROPERTY } from './rule.js';
import { EngineWatch } from './watch.js';
import { engineRedactor, engineWords, envOf, withLog, type Redact } from './words.js';

/** Components of one step that are worked on at once, and containers that are looked at at once. */
const AT_ONCE = 4;
const LOOKS_AT_ONCE = 8;

/** Runs each component as a container of one Docker engine. */
export class DockerProvider implements TargetProvider {
  readonly rule: ValidationRule;
  readonly keepsOrder = true;
  readonly #engine: DockerEngine;
  readonly #doings = new OwnDoings();

  constructor(private readonly config: DockerConfig) {
    this.rule = dockerRule(config.allow);
    this.#engine = new DockerEngine(new EngineConnection(config.endpoint, config.host));
  }

  async get(call: GetCall): Promise<ObservedComponent[]> {
    const wanted = new Map(call.references.map((step) => [step.component.name, step.component]));
    if (call.signal.aborted) throw abortError(call.signal, 'The look at the containers');
    try {
      const listed = await this.#engine.list(placeLabels(call), call.signal);
      const limit = pLimit(LOOKS_AT_ONCE);
      const ids = listed.filter(({ Labels }) => wanted.has(Labels?.[LABEL.component] ?? ''));
      const found = await Promise.all(
        ids.map(({ Id }) => limit(() => this.#engine.inspect(Id, call.signal))),
      );
      const byComponent = new Map<string, Inspected[]>();
      for (const item of found) {
        if (!item || item.container.State?.Status === 'removing') continue;
        const name = item.container.Config?.Labels?.[LABEL.component] ?? '';
        byComponent.set(name, [...(byComponent.get(name) ?? []), item]);
      }
      return await Promise.all(
        [...byComponent].map(([name, containers]) =>
          limit(() => this.#observed(call, wanted.get(name) ?? { name }, containers)),
        ),
      );
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      const redact = engineRedactor(call.redact, []);
      throw new ProviderError(
        'ObservationFailed',
        `The Docker engine at ${this.config.host} could not list its containers: ${engineWords(error, redact)}.`,
      );
    }
  }

  async apply(call: ApplyCall): Promise<ApplyResults> {
    if (call.signal.aborted) throw abortError(call.signal, 'The work on the containers');
    const { admitted, refused } = admit(this.rule, call.steps);
    const declarations = new Map<string, Declaration>();
    for (const { action, component } of admitted) {
      if (action === 'delete') continue;
      const read = readDeclaration(component, this.config.allow);
      if ('problems' in read)
        refused[component.name] = { status: StateCode.ValidateFailed, message: read.problems.join('; ') };
      else declarations.set(component.name, read);
    }
    const applyOne = async (step: ComponentStep): Promise<ComponentResultSpec> => {
      const refusal = refused[step.component.name];
      if (refusal) return refusal;
      return call.dryRun ? untouched() : this.#applyOne(call, step, declarations.get(step.component.name));
    };
    const results = await applyInOrder(admitted, AT_ONCE, applyOne, call.onResult);
    return { ...results, ...refused };
  }

  watch(call: WatchCall, onChange: (change: TargetChange) => void): Promise<() => Promise<void>> {
    return EngineWatch.start(this.#engine, this.#doings, call, onChange);
  }

  close(): Promise<void> {
    return this.#engine.close();
  }

  async #observed(
    call: GetCall,
    declared: ComponentSpec,
    containers: readonly Inspected[],
  ): Promise<ObservedComponent> {
    const [first, ...others] = [...containers].sort((a, b) => rank(b, declared) - rank(a, declared));
    if (!first) return declared;
    const { name, properties } = readBack(first.container, declared);
    const { stopped, dying, health } = conditionOf(first);
    if (stopped !== undefined) properties[STATE_PROPERTY] = stopped;
    else if (others.length > 0) properties[STATE_PROPERTY] = 'an interrupted replacement';
    const redact: Redact = call.redact ?? ((text) => text);
    const log = dying ? await this.#engine.lastLines(first.container, call.signal) : '';
    return { name, properties, health: { ...health, message: withLog(health.message, log, redact) } };
  }

  async #applyOne(
    call: ApplyCall,
    { action, component }: ComponentStep,
    declared: Declaration | undefined,
  ): Promise<ComponentResultSpec> {
    const redact = call.redact ?? ((text) => text);
    const { config, rule } = this;
    const work = { engine: this.#engine, doings: this.#doings, config, rule, call, component, redact };
    try {
      return await (declared ? converge(work, declared) : removeComponent(work));
    } catch (error) {
      if (error instanceof EngineError) {
        const status = action === 'delete' ? StateCode.DeleteFailed : StateCode.UpdateFailed;
        return {
          status,
          message: engineWords(error, engineRedactor(call.redact, envOf(component.properties))),
        };
      }
      throw applyError(error, call);
    }
  }
}

/** Nothing could be said about the engine: in an apply that is a failure to act, which is tried again at once. */
function applyError(error: unknown, { signal }: ProviderCall): unknown {
  const unreachable =
    error instanceof ProviderError && error.reason === 'ObservationFailed' && !signal.aborted;
  return unreachable
    ? new ProviderError('ProviderFailed', error.message, error.stateCode, { cause: error })
    : error;
}

/** The one that does the work first. */
function rank({ container }: Inspected, declared: ComponentSpec): number {
  const named = containerName(container) === (propertyOf(declared, 'container.name') ?? declared.name);
  return (container.State?.Status === 'running' ? 2 : 0) + (named ? 1 : 0);
}

function untouched(): ComponentResultSpec {
  return { status: StateCode.Untouched, message: '' };
}
