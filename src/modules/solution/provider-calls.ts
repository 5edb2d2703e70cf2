import {
  hashOf,
  isFailure,
  messageOf,
  reason,
  storableDeep,
  storableText,
  type BindingSpec,
  type ComponentResultSpec,
  type ComponentSpec,
  type KnownAs,
  type Reason,
} from '@symphony/model';
import {
  ProviderError,
  type ApplyCall,
  type ApplyResults,
  type GetCall,
  type ProviderCall,
  type TargetProvider,
} from '@symphony/provider-kit';
import type { EngineEvents } from '../events/index.js';
import type { ProviderRegistry } from '../providers/index.js';
import { ProviderCache, type Lease } from './provider-cache.js';
import { TargetSlots } from './target-slots.js';

export interface ProviderCallsOptions {
  /** Deadline of one call, in milliseconds. */
  callTimeoutMs: number;
  /** How long an aborted call may take to end before it counts as stuck. */
  abortGraceMs: number;
  /** Told about each call, for metrics. */
  onCall?: (call: EngineEvents['provider.called']) => void;
}

const DEFAULTS: ProviderCallsOptions = { callTimeoutMs: 60_000, abortGraceMs: 3_000 };

/** Where a call goes: the binding with its configuration resolved, and what ends the call early. */
export interface CallSite {
  binding: BindingSpec;
  config: Record<string, string>;
  /** Aborted: stop at once. */
  stop: AbortSignal;
  /** Aborted: end the wait for a slot, and the call after a grace. */
  cancel: AbortSignal;
  /** Milliseconds after which others are not to wait for this call any longer; shorter than its deadline, or no matter. */
  patienceMs?: number;
  redact: (text: string) => string;
  /** Told of each call, with the wait for its turn, so that the run which makes it holds nothing up meanwhile. */
  waitsFor?: (work: Promise<unknown>) => void;
  /** How what is there names its owner and target, where not by their uids. */
  knownAs?: KnownAs;
}

/**
 * Milliseconds that a call has, from its beginning, once a newer order waits. One that goes on for longer is ended at once:
 * the newer order, and all other targets with it, waits for that.
 */
const SUPERSEDED_AFTER_MS = { get: 1_000, apply: 2_000, validate: 2_000 };
type Operation = keyof typeof SUPERSEDED_AFTER_MS;
const MAX_CACHED_PROVIDERS = 512;

/** What a call must leave behind when the outcome is not known. */
export class CallFailure extends Error {
  /** Of a call that was cut short for others' sake: how long it had gone without an answer. */
  silentMs: number | undefined;

  constructor(
    readonly reason: Reason,
    readonly stateCode: number,
    /** True when the thing that was asked for may have happened all the same. */
    readonly unknown: boolean,
    options?: ErrorOptions,
  ) {
    super(reason.message, options);
  }
}

/**
 * Calls providers with a deadline, a slot of the target, cancellation and redaction; every rejection is a CallFailure. What
 * targets say may be anything: here, and only here, it becomes text that stores keep.
 */
export class ProviderCalls {
  readonly #options: ProviderCallsOptions;
  readonly #slots: TargetSlots;
  readonly #providers = new ProviderCache(MAX_CACHED_PROVIDERS);

  constructor(
    private readonly registry: ProviderRegistry,
    options: Partial<ProviderCallsOptions> = {},
    slots = new TargetSlots(),
  ) {
    this.#options = { ...DEFAULTS, ...options };
    this.#slots = slots;
  }

  /** The provider of a binding, for a look at its rule; what goes on for longer takes a lease. @throws CallFailure */
  provider(binding: BindingSpec, config: Record<string, string>): TargetProvider {
    return this.#providers.peek(keyOf(binding, config), () => this.#create(binding, config));
  }

  /** The provider of a binding, open until it is given back. @throws CallFailure */
  lease({ binding, config }: Pick<CallSite, 'binding' | 'config'>): Lease {
    return this.#providers.lease(keyOf(binding, config), () => this.#create(binding, config));
  }

  async get(
    site: CallSite,
    call: Omit<GetCall, 'signal' | 'timeoutMs' | 'redact'>,
  ): Promise<ComponentSpec[]> {
    return this.#told('get', site, (begun) =>
      this.#call('get', site, call, begun, async (provider, guard) =>
        storableDeep(await provider.get({ ...call, ...namesOf(site, call), ...guard })),
      ),
    );
  }

  async apply(
    site: CallSite,
    call: Omit<ApplyCall, 'signal' | 'timeoutMs' | 'redact'>,
  ): Promise<ApplyResults> {
    const operation = call.dryRun ? 'validate' : 'apply';
    return this.#told(operation, site, (begun) =>
      this.#call(operation, site, call, begun, async (provider, guard, gotSomewhere) =>
        storableDeep(
          await provider.apply({
            ...call,
            ...namesOf(site, call),
            ...guard,
            onResult: (component, result) => {
              gotSomewhere();
              call.onResult?.(component, storableDeep(result));
            },
          }),
        ),
      ),
    );
  }

  /** Types of providers that can watch their targets, and are switched on. */
  watchingTypes(): string[] {
    return this.registry.types().filter((type) => {
      const definition = this.registry.definition(type);
      return definition?.watches === true && definition.disabled === undefined;
    });
  }

  /** How long reports on what a provider left pending are waited for, where its definition says so. */
  reportWithinMs({ provider }: BindingSpec): number | undefined {
    return this.registry.definition(provider)?.reportWithinMs;
  }

  async close(): Promise<void> {
    await this.#providers.close();
  }

  #create(binding: BindingSpec, config: Record<string, string>): TargetProvider {
    try {
      return this.registry.create(binding, config);
    } catch (error) {
      throw failureOf(error, (text) => text, false);
    }
  }

  /** Tells of a call how it ended, and how long it took from when `begun` was called. */
  async #told<T extends ComponentSpec[] | ApplyResults>(
    operation: string,
    site: CallSite,
    call: (begun: () => void) => Promise<T>,
  ): Promise<T> {
    let begunAt: number | undefined;
    const tell = (outcome: string): void => {
      const durationMs = begunAt === undefined ? {} : { durationMs: performance.now() - begunAt };
      this.#options.onCall?.({ provider: site.binding.provider, operation, outcome, ...durationMs });
    };
    try {
      const work = call(() => (begunAt = performance.now()));
      site.waitsFor?.(work);
      const result = await work;
      tell(Array.isArray(result) || !Object.values(result).some(isFailed) ? 'ok' : 'componentsFailed');
      return result;
    } catch (error) {
      tell(error instanceof CallFailure ? error.reason.code : 'InternalError');
      throw error;
    }
  }

  async #call<T>(
    operation: Operation,
    site: CallSite,
    call: Pick<ProviderCall, 'target'>,
    begun: () => void,
    run: (
      provider: TargetProvider,
      guard: Pick<ProviderCall, 'signal' | 'timeoutMs' | 'redact'>,
      gotSomewhere: () => void,
    ) => Promise<T>,
  ): Promise<T> {
    const lease = this.lease(site);
    const leave = await this.#turn(site, call.target.uid).catch((error: unknown) => {
      lease.release();
      throw error;
    });
    begun();
    const { callTimeoutMs: timeoutMs } = this.#options;
    const deadline = new Deadline(site, timeoutMs, SUPERSEDED_AFTER_MS[operation]);
    const guard = { signal: deadline.signal, timeoutMs, redact: site.redact };
    const work = Promise.resolve().then(() => run(lease.provider, guard, () => deadline.renew()));
    // Slot and provider are free only when the call has really ended, even if nobody waits for it any more.
    const ended = (): void => {
      leave();
      lease.release();
    };
    void work.then(ended, ended);
    try {
      return await deadline.race(work, this.#options.abortGraceMs);
    } catch (error) {
      if (deadline.why) throw deadline.failure(error);
      if (error instanceof CallFailure) throw error;
      throw failureOf(error, site.redact, true);
    } finally {
      deadline.end();
    }
  }

  /** Waits for a slot of the target. @returns what frees it */
  async #turn(site: CallSite, targetUid: string): Promise<() => void> {
    const definition = this.registry.definition(site.binding.provider);
    const limit = definition?.concurrencyOf?.(site.config) ?? definition?.concurrency ?? 1;
    const leave = await this.#slots.acquire(targetUid, limit, [site.stop, site.cancel]);
    // A run that was stopped while its intent was being written, or its turn was awaited, makes no call any more.
    if (leave && !site.stop.aborted) return leave;
    leave?.();
    throw turnedAway(site);
  }
}

/** What providers are told apart by. */
function keyOf({ provider }: BindingSpec, config: Record<string, string>): string {
  return `${provider}:${hashOf(config)}`;
}

/** Owner and target as the things on the target are marked with them. */
function namesOf(
  { knownAs }: CallSite,
  { owner, target }: Pick<ProviderCall, 'owner' | 'target'>,
): Pick<ProviderCall, 'owner' | 'target'> {
  if (!knownAs) return { owner, target };
  return { owner: { ...owner, uid: knownAs.owner }, target: { ...target, uid: knownAs.target } };
}

function isFailed({ status }: ComponentResultSpec): boolean {
  return isFailure(status);
}

function turnedAway(site: CallSite): CallFailure {
  if (site.stop.aborted) return new CallFailure(reason('Interrupted'), 11004, false);
  if (site.cancel.aborted) return new CallFailure(reason('Superseded'), 11004, false);
  return new CallFailure(reason('TargetBusy'), 11004, false);
}

function failureOf(error: unknown, redact: (text: string) => string, unknown: boolean): CallFailure {
  const detail = storableText(redact(messageOf(error)));
  if (error instanceof ProviderError) {
    return new CallFailure({ code: error.reason, message: detail }, error.stateCode, unknown, {
      cause: error,
    });
  }
  return new CallFailure(reason('ProviderFailed', sentence(detail)), 500, unknown, { cause: error });
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}

/** One abort signal out of deadline, stop and cancel; and a race that also ends when the call ignores the abort. */
class Deadline {
  readonly #controller = new AbortController();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #begunAt = performance.now();
  readonly #timeout: NodeJS.Timeout;
  #ended = false;
  /** Why the signal fired. */
  why: Reason | undefined;

  constructor(
    private readonly site: CallSite,
    timeoutMs: number,
    private readonly supersededAfterMs: number,
  ) {
    this.#timeout = setTimeout(
      () => this.#abort(reason('ProviderTimeout', `No answer within ${timeoutMs / 1000} s.`)),
      timeoutMs,
    );
    this.#timers.push(this.#timeout);
    const { patienceMs = Infinity } = site;
    if (patienceMs < timeoutMs) {
      const why = `No answer within ${patienceMs / 1000} s, and other targets are not to wait for it.`;
      this.#timers.push(setTimeout(() => this.#abort(reason('TargetBusy', why)), patienceMs));
    }
    site.stop.addEventListener('abort', this.#onStop);
    site.cancel.addEventListener('abort', this.#onCancel);
    if (site.stop.aborted) this.#onStop();
    else if (site.cancel.aborted) this.#onCancel();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** What the call ends with that was aborted, whatever the provider said then. */
  failure(cause: unknown): CallFailure {
    const failure = new CallFailure(this.why ?? reason('Interrupted'), 11004, true, { cause });
    const { code } = failure.reason;
    if (code === 'Superseded' || code === 'TargetBusy') failure.silentMs = performance.now() - this.#begunAt;
    return failure;
  }

  /** The call gets somewhere: its time begins anew. */
  renew(): void {
    if (!this.why && !this.#ended) this.#timeout.refresh();
  }

  async race<T>(work: Promise<T>, graceMs: number): Promise<T> {
    const stuck = new Promise<never>((_, reject) => {
      const giveUpSoon = (): void => {
        this.#timers.push(setTimeout(() => reject(this.failure(undefined)), graceMs));
      };
      // A run that was stopped before the call began fires no event any more.
      if (this.signal.aborted) giveUpSoon();
      else this.signal.addEventListener('abort', giveUpSoon, { once: true });
    });
    return Promise.race([work, stuck]);
  }

  end(): void {
    this.#ended = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.site.stop.removeEventListener('abort', this.#onStop);
    this.site.cancel.removeEventListener('abort', this.#onCancel);
  }

  readonly #onStop = (): void => this.#abort(reason('Interrupted'));

  readonly #onCancel = (): void => {
    const leftMs = this.#begunAt + this.supersededAfterMs - performance.now();
    if (leftMs <= 0) this.#abort(reason('Superseded'));
    else this.#timers.push(setTimeout(() => this.#abort(reason('Superseded')), leftMs));
  };

  #abort(why: Reason): void {
    if (this.why) return;
    this.why = why;
    this.#controller.abort(new CallFailure(why, 11004, true));
  }
}
