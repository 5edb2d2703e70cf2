import {
  instanceNameOf,
  ledgerKeyText,
  reason,
  retryOf,
  UnavailableError,
  UnprocessableError,
  type ComponentSpec,
  type Deployment,
  type DeploymentTarget,
  type LedgerEntry,
  type LedgerKey,
  type Observation,
  type Plan,
  type Reason,
  type ResolvedComponent,
} from '@symphony/model';
import { ExpressionError } from '@symphony/expressions';
import { plan, type ConstraintCheck } from '@symphony/planning';
import { awaitedReports } from './awaited-reports.js';
import type { UnhealthyTarget } from './desired-state.js';
import { CallFailure, type CallSite, type ProviderCalls } from './provider-calls.js';
import { byPair, complaintsOf, differsBy, sensitivePaths, shownOf, type Observed } from './observed.js';
import type { Lease } from './provider-cache.js';
import { RunValues } from './resolver.js';
import { RunTargets } from './run-targets.js';
import { References, sitesOf, type KnownPlace, type Site } from './sites.js';
import type { TargetHealth } from './target-health.js';
import type { ValueSources } from './values/value-source.js';

export interface PlanRequest {
  namespace: string;
  /** Builds the deployment; called again whenever a constraint asked for a value from outside. */
  generate: (constraint: ConstraintCheck) => Deployment;
  ledger: LedgerEntry[];
  unhealthy: UnhealthyTarget[];
  /** Targets that are there, also those from which something is only to be removed. */
  targets: readonly DeploymentTarget[];
  /** Uids of targets that are being deleted. */
  deletingTargets: ReadonlySet<string>;
  forceRedeploy: ReadonlySet<string>;
  /** What this run has just learnt of entries that were pending, by `ledgerKeyText`. */
  verdicts?: ReadonlyMap<string, Reason>;
  /** True: ask nothing of targets whose breaker is open, not even the probe that is due. */
  readOnly: boolean;
  stop: AbortSignal;
  cancel: AbortSignal;
  /** Told of each call to a provider. */
  waitsFor?: CallSite['waitsFor'];
  /** How long targets that have answered wait for one that has not, in milliseconds. Default: as long as a call may take. */
  patienceMs?: number;
  /** The desired state is known to be reached and only a change counts: stop before any provider is called. */
  skipWhen?: (deployment: Deployment) => boolean;
}

/** A plan with all that its execution needs. */
export interface PlannedRun {
  deployment: Deployment;
  ledger: LedgerEntry[];
  plan: Plan;
  values: RunValues;
  targets: RunTargets;
  /** Uids of targets that answered for every place that was looked at. */
  readable: ReadonlySet<string>;
  /** Targets that could not be read, or are left alone, with the time until they are tried again. */
  troubled: Map<string, { reason: Reason; retryMs?: number }>;
  resolvedOf(target: string, component: string): ResolvedComponent | undefined;
  /** What a target says of a component that is there and does not work; undefined when all is well or nobody can tell. */
  complaintOf(target: string, component: string): string | undefined;
  /** Whether a target reports a component, whoever has put it there. */
  isThere(target: string, component: string): boolean;
  entryOf(key: LedgerKey): LedgerEntry | undefined;
  /** The component as the solution declares it, expressions unresolved. */
  declared(component: string): ComponentSpec | undefined;
}

export interface PlannerOptions {
  digestKey: Uint8Array;
  /** How many targets are read at once in one run. */
  targetsAtOnce: number;
}

/** A place that was just read. */
export interface ObservedPlace {
  ownerUid: string;
  site: Site;
  call: CallSite;
  /** Whether its provider can watch it. */
  canWatch: boolean;
  target: DeploymentTarget;
}

/** For how long a probe that is due is left to retries. */
const PROBE_LEFT_MS = 10_000;

/** From what is declared and what is there to what is to be done. Reads, and changes nothing. */
export class RunPlanner {
  /** Told of each place that was read. Must not throw. */
  onObserved: (place: ObservedPlace) => void = () => undefined;

  constructor(
    private readonly sources: ValueSources,
    private readonly calls: ProviderCalls,
    private readonly health: TargetHealth,
    private readonly options: PlannerOptions,
  ) {}

  /** Whether `skipWhen` holds, asking no target; false as well when the desired state cannot be told. */
  async isUnchanged(request: PlanRequest): Promise<boolean> {
    if (!request.skipWhen) return false;
    const values = new RunValues(this.sources, this.options.digestKey, request.namespace, request.stop);
    try {
      return request.skipWhen(await values.withConstraints(request.generate));
    } catch {
      // Why is for the run to say, which looks closer.
      return false;
    }
  }

  /** @returns undefined when `skipWhen` held. @throws DeploymentError, ExpressionError, or what a signal carries. */
  async prepare(request: PlanRequest): Promise<PlannedRun | undefined> {
    const values = new RunValues(this.sources, this.options.digestKey, request.namespace, request.stop);
    const deployment = await values.withConstraints(request.generate);
    if (request.skipWhen?.(deployment)) return undefined;
    const { resolved, unresolved } = await values.components(deployment);
    const resolvedOf = byPair(resolved);
    const look: Look = {
      request,
      deployment,
      values,
      targets: new RunTargets(deployment, request.targets, request.ledger),
      references: new References({ ledger: request.ledger, deployment, resolvedOf }),
    };
    const troubled = await this.#leftAlone(request, deployment);
    const observations = await this.#observe(look, troubled);
    const planned = plan({
      deployment,
      ledger: request.ledger,
      observations: observations.map(({ observation }) => observation),
      resolved,
      unresolved,
      deletingTargets: request.deletingTargets,
      forceRedeploy: request.forceRedeploy,
      differs: differsBy(observations, deployment),
      unavailable: new Map([...troubled].map(([uid, trouble]) => [uid, trouble.reason])),
      awaited: awaitedReports(request.ledger, request.verdicts),
    });
    const readable = new Set(observations.map(({ site }) => site.targetUid));
    for (const { observation, site, silentMs } of observations) {
      if (observation.readable) continue;
      readable.delete(site.targetUid);
      // A target is in trouble once, however many of its places could not be read.
      if (!troubled.has(site.targetUid))
        troubled.set(site.targetUid, await this.#trouble(request, observation, silentMs));
    }
    const entries = new Map(request.ledger.map((entry) => [ledgerKeyText(entry), entry]));
    const declared = new Map(deployment.components.map((component) => [component.name, component]));
    return {
      deployment,
      ledger: request.ledger,
      plan: planned,
      values,
      targets: look.targets,
      readable,
      troubled,
      resolvedOf,
      complaintOf: complaintsOf(observations, values.redact),
      isThere: (target, component) =>
        observations.some(
          ({ site, observation }) =>
            site.targetName === target &&
            observation.readable &&
            observation.components.some(({ name }) => name === component),
        ),
      entryOf: (key) => entries.get(ledgerKeyText(key)),
      declared: (component) => declared.get(component),
    };
  }

  /** What the providers report for a deployment, one component of a name, as Symphony's `GET solution/instances` does. */
  async observe(deployment: Deployment, ledger: LedgerEntry[], stop: AbortSignal): Promise<ComponentSpec[]> {
    const values = new RunValues(this.sources, this.options.digestKey, deployment.owner.namespace, stop);
    const { resolved } = await values.components(deployment);
    const request = { stop, cancel: stop, readOnly: true };
    const targets = new RunTargets(deployment, [], ledger);
    const resolvedOf = byPair(resolved);
    const references = new References({ ledger, deployment, resolvedOf });
    const observed = await this.#observe({ request, deployment, values, targets, references }, new Map());
    const sensitiveOf = await sensitivePaths({ deployment, ledger, resolvedOf, targets, values });
    const found = new Map<string, ComponentSpec>();
    for (const { site, observation } of observed) {
      if (!observation.readable) throw unreadable(observation.reason);
      for (const component of observation.components) {
        if (found.has(component.name)) continue;
        found.set(component.name, shownOf(component, sensitiveOf(site, component.name), values.redact));
      }
    }
    return [...found.values()];
  }

  /** Types of providers that can watch their targets. */
  watchingTypes(): string[] {
    return this.calls.watchingTypes();
  }

  /** The provider of a place, open until it is given back. @throws CallFailure */
  lease({ call }: ObservedPlace): Lease {
    return this.calls.lease(call);
  }

  /** A place, without a look at it. @throws CallFailure */
  async place({ owner, target, knownAs, ...site }: KnownPlace, stop: AbortSignal): Promise<ObservedPlace> {
    const values = new RunValues(this.sources, this.options.digestKey, owner.namespace, stop);
    const context = { deployment: { owner }, values, targets: { of: () => target, knownAs: () => knownAs } };
    const call = await this.site(site, context, { stop, cancel: stop });
    const provider = this.calls.provider(call.binding, call.config);
    return { ownerUid: owner.uid, site, call, canWatch: provider.watch !== undefined, target };
  }

  /** What a call to a site needs; rejects with a CallFailure when its configuration cannot be had. */
  async site(
    site: Site,
    run: Pick<PlannedRun, 'values'> & {
      deployment: Pick<Deployment, 'owner'>;
      targets: Pick<RunTargets, 'of' | 'knownAs'>;
    },
    control: Pick<CallSite, 'stop' | 'cancel' | 'waitsFor'>,
  ): Promise<CallSite> {
    try {
      const config = await run.values.binding(site.binding, {
        target: site.targetName,
        instance: instanceNameOf(run.deployment.owner),
        properties: run.targets.of(site).spec.properties ?? {},
      });
      const { stop, cancel, waitsFor } = control;
      const { redact } = run.values;
      const knownAs = run.targets.knownAs(site);
      return {
        binding: site.binding,
        config,
        redact,
        stop,
        cancel,
        ...(waitsFor ? { waitsFor } : {}),
        ...(knownAs ? { knownAs } : {}),
      };
    } catch (error) {
      if (!(error instanceof ExpressionError)) throw error;
      const code = error.code === 'ExpressionLookupFailed' ? 'ValueUnavailable' : 'ExpressionFailed';
      const where = `The configuration of role ${JSON.stringify(site.role)} on target ${JSON.stringify(site.targetName)}: ${error.message}`;
      throw new CallFailure(reason(code, where), 1000, false, { cause: error });
    }
  }

  /** Targets whose breaker is open. Those whose time has come are probed by this run, if it gets the probe. */
  async #leftAlone(request: PlanRequest, deployment: Deployment): Promise<PlannedRun['troubled']> {
    const troubled: PlannedRun['troubled'] = new Map();
    // A probe that is taken must be made: only a run that has to do with the target may take it.
    const concerned = new Set([
      ...deployment.targets.map((target) => target.uid),
      ...request.ledger.map((entry) => entry.targetUid),
    ]);
    // The other targets would wait for a probe: it is left to a retry, unless none comes because new orders keep coming.
    const isPatient = request.patienceMs === undefined || deployment.targets.length === 1;
    for (const { targetUid, reason: why, open, retryMs, overdueMs = 0 } of request.unhealthy) {
      if (!open || !concerned.has(targetUid)) continue;
      const isDue = retryMs <= 0 && (isPatient || overdueMs > PROBE_LEFT_MS);
      const mayProbe = isDue && (request.readOnly || (await this.health.takeProbe(targetUid)));
      if (mayProbe) continue;
      troubled.set(targetUid, {
        // What is only suspected has not failed.
        reason: why.code === 'TargetBusy' ? why : reason('TargetUnavailable', why.message),
        retryMs: Math.max(retryMs, 500),
      });
    }
    return troubled;
  }

  async #observe(look: Look, troubled: PlannedRun['troubled']): Promise<Observed[]> {
    const sites = sitesOf(look.deployment).filter((site) => !troubled.has(site.targetUid));
    const several = sites.some((site) => site.targetUid !== sites[0]?.targetUid);
    const patienceMs = several ? look.request.patienceMs : undefined;
    const observed: Observed[] = [];
    const queue = sites.values();
    const reader = async (): Promise<void> => {
      for (const site of queue) observed.push(await this.#observeSite(site, look, patienceMs));
    };
    await Promise.all(Array.from({ length: Math.min(this.options.targetsAtOnce, sites.length) }, reader));
    return observed;
  }

  async #observeSite(site: Site, look: Look, patienceMs: number | undefined): Promise<Observed> {
    const { request, deployment, targets } = look;
    const key = { targetUid: site.targetUid, role: site.role, bindingHash: site.bindingHash };
    const references = look.references.of(site);
    try {
      const callSite = { ...(await this.site(site, look, request)), patienceMs };
      const provider = this.calls.provider(callSite.binding, callSite.config);
      const components = await this.calls.get(callSite, {
        deployment: targets.wire(
          site,
          references.map((reference) => reference.component),
        ),
        owner: deployment.owner,
        target: targets.of(site),
        role: site.role,
        scope: site.scope,
        exclusive: !request.readOnly,
        references,
      });
      this.onObserved({
        ownerUid: deployment.owner.uid,
        site,
        call: callSite,
        canWatch: provider.watch !== undefined,
        target: targets.of(site),
      });
      return { site, observation: { ...key, readable: true, components }, rule: provider.rule };
    } catch (error) {
      if (!(error instanceof CallFailure)) throw error;
      request.stop.throwIfAborted();
      const { reason: why, silentMs } = error;
      return { site, observation: { ...key, readable: false, reason: why }, silentMs };
    }
  }

  /** Tells the breaker of a target that could not be read; not of one that somebody misconfigured. */
  async #trouble(
    request: PlanRequest,
    observation: Extract<Observation, { readable: false }>,
    silentMs: number | undefined,
  ): Promise<{ reason: Reason; retryMs?: number }> {
    const { targetUid, reason: why } = observation;
    if (silentMs !== undefined && !request.readOnly) {
      return {
        reason: why,
        retryMs: await this.health.suspected(targetUid, silentReason(silentMs), silentMs),
      };
    }
    const counts =
      why.code === 'ProviderTimeout' || why.code === 'ProviderFailed' || why.code === 'ObservationFailed';
    if (request.readOnly || !counts) return { reason: why };
    return { reason: why, retryMs: await this.health.failed(targetUid, why) };
  }
}

/** Why a target is left alone whose calls were cut short. */
export function silentReason(silentMs: number): Reason {
  return reason('TargetBusy', `No answer for ${(silentMs / 1000).toFixed(1)} s.`);
}

/** What targets are looked at for. */
interface Look {
  request: Pick<PlanRequest, 'stop' | 'cancel' | 'waitsFor' | 'patienceMs' | 'readOnly'>;
  deployment: Deployment;
  values: RunValues;
  targets: RunTargets;
  references: References;
}

/** What another deployment, or a value that it names, would mend is the caller's to mend; the rest may pass. */
function unreadable({ code, message }: Reason): Error {
  return code === 'ExpressionFailed' || retryOf(code) === 'wait-for-change'
    ? new UnprocessableError(message, code)
    : new UnavailableError(message, code);
}
