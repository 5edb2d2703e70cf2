import pLimit from 'p-limit';
import type { Agent } from 'undici';
import { beginningOf, StateCode, type ComponentResultSpec, type ComponentSpec } from '@symphony/model';
import {
  abortError,
  admit,
  applyInOrder,
  ProviderError,
  type ApplyCall,
  type ApplyResults,
  type ComponentStep,
  type GetCall,
  type TargetProvider,
  type ValidationRule,
} from '@symphony/provider-kit';
import { NoAnswer, send } from './client.js';
import { guardedAgent } from './guard.js';
import { readDeclaration, type DeclaredRequest, type HttpConfig } from './request.js';

const AT_ONCE = 4;
/** How much of an answer a message quotes. */
const QUOTED = 2_000;
/** What a get answers when there is nothing. */
const ABSENT: ReadonlySet<number> = new Set([404, 410]);

/** Applies a component by one HTTP request: a gate that other components depend on, or a notice to somebody. */
export class HttpProvider implements TargetProvider {
  readonly rule: ValidationRule;
  readonly keepsOrder = true;
  readonly #agent: Agent;

  constructor(
    private readonly defaults: HttpConfig,
    allowLinkLocal: boolean,
  ) {
    this.#agent = guardedAgent(allowLinkLocal);
    this.rule = {
      componentValidationRule: {
        // The binding may say it for all components.
        requiredProperties: Object.hasOwn(defaults, 'http.url') ? [] : ['http.url'],
        optionalProperties: [
          'http.method',
          'http.body',
          'http.header.*',
          'http.expect',
          'http.once',
          ...['url', 'method', 'body', 'header.*', 'expect'].flatMap((key) => [
            `http.get.${key}`,
            `http.delete.${key}`,
          ]),
        ],
      },
    };
  }

  /** Asks where the component says how; otherwise nothing is there, as in Symphony, so a gate is asked by each run. */
  async get(call: GetCall): Promise<ComponentSpec[]> {
    if (call.signal.aborted) throw abortError(call.signal, 'The look at the components');
    const limit = pLimit(AT_ONCE);
    const found = await Promise.all(
      call.references.map((step) =>
        limit(async () => ((await this.#isThere(step, call)) ? [step.component] : [])),
      ),
    );
    return found.flat();
  }

  async apply(call: ApplyCall): Promise<ApplyResults> {
    if (call.signal.aborted) throw abortError(call.signal, 'The requests of the components');
    const { admitted, refused } = admit(this.rule, call.steps);
    const results = await applyInOrder(
      admitted,
      AT_ONCE,
      (step) => this.#applyOne(step, call),
      call.onResult,
    );
    return { ...refused, ...results };
  }

  close(): Promise<void> {
    return this.#agent.destroy();
  }

  async #isThere({ component }: ComponentStep, call: GetCall): Promise<boolean> {
    const declared = readDeclaration(component, this.defaults);
    // What cannot be read was never applied, or is refused when it is.
    if ('problems' in declared) return false;
    if (!declared.get) return declared.once;
    try {
      const { status, body } = await send(this.#agent, declared.get, call.signal);
      if (declared.get.expects(status)) return true;
      if (ABSENT.has(status)) return false;
      throw new NoAnswer(`${declared.get.url.origin} answered ${status}${quoted(body, call)}`);
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      const message = `Whether '${component.name}' is there is not known. ${redacted(error.message, call)}`;
      throw new ProviderError('ObservationFailed', message);
    }
  }

  async #applyOne({ action, component }: ComponentStep, call: ApplyCall): Promise<ComponentResultSpec> {
    const declared = readDeclaration(component, this.defaults);
    if ('problems' in declared) {
      // What cannot be read has nothing that a removal could be asked of.
      if (action === 'delete') return untouched();
      return { status: StateCode.ValidateFailed, message: declared.problems.join('; ') };
    }
    if (call.dryRun) return untouched();
    if (action === 'update') {
      return this.#ask(declared.apply, call, StateCode.Updated, StateCode.UpdateFailed);
    }
    if (!declared.remove) return untouched();
    return this.#ask(declared.remove, call, StateCode.Deleted, StateCode.DeleteFailed);
  }

  async #ask(
    declared: DeclaredRequest,
    call: ApplyCall,
    success: number,
    failure: number,
  ): Promise<ComponentResultSpec> {
    try {
      const { status, body } = await send(this.#agent, declared, call.signal);
      if (declared.expects(status)) return { status: success, message: 'HTTP request succeeded' };
      return { status: failure, message: `${declared.url.origin} answered ${status}${quoted(body, call)}` };
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error;
      return { status: failure, message: redacted(error.message, call) };
    }
  }
}

/** Redacted before it is cut, so that no part of a secret is left at the cut. */
function quoted(body: string, call: Pick<ApplyCall, 'redact'>): string {
  const words = redacted(body, call).trim();
  if (words === '') return '.';
  return `: ${beginningOf(words, QUOTED)}`;
}

function redacted(text: string, { redact }: Pick<ApplyCall, 'redact'>): string {
  return redact ? redact(text) : text;
}

function untouched(): ComponentResultSpec {
  return { status: StateCode.Untouched, message: '' };
}
