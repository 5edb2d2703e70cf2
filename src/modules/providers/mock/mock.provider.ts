import { setTimeout as delay } from 'node:timers/promises';
import { StateCode, type ComponentSpec } from '@symphony/model';
import {
  abortError,
  admit,
  applyInOrder,
  ProviderError,
  type ApplyCall,
  type ApplyResult,
  type ApplyResults,
  type ComponentStep,
  type GetCall,
  type ProviderCall,
  type TargetProvider,
  type ValidationRule,
} from '@symphony/provider-kit';
import { mockControl, type MockControl } from './control.js';
import type { MockFaults } from './faults.js';

/** A target in the memory of the process, with faults on demand. */
export class MockProvider implements TargetProvider {
  /** Symphony's: anything goes, and nothing is compared. */
  readonly rule: ValidationRule = { componentValidationRule: {} };

  constructor(
    /** Targets with the same id share what they hold; without one each target has its own. */
    private readonly id: string,
    private readonly configured: MockFaults,
    readonly keepsOrder = true,
  ) {}

  async get(call: GetCall): Promise<ComponentSpec[]> {
    const control = this.controlOf(call);
    const names = call.references.map((step) => step.component.name);
    return control.record({ ...headOf(call), operation: 'get', components: names }, async () => {
      const faults = control.faults(this.configured);
      await this.enter(call, faults, faults.hangGet);
      if (faults.failGet) {
        throw new ProviderError('ObservationFailed', 'The mock target cannot be read, as failGet asks for.');
      }
      if (faults.lie === 'nothing') return [];
      const wanted = new Set(names);
      const found = control.contents.filter((component) => wanted.has(component.name));
      return faults.lie === 'other' ? found.map(falsified) : found;
    });
  }

  async apply(call: ApplyCall): Promise<ApplyResults> {
    const control = this.controlOf(call);
    const components = call.steps.map((step) => step.component.name);
    const head = { ...headOf(call), action: call.steps[0]?.action, dryRun: call.dryRun };
    const worked: string[] = [];
    return control.record({ ...head, operation: 'apply', components, worked }, async () => {
      const faults = control.faults(this.configured);
      await this.enter(call, faults, faults.hangApply);
      const { admitted, refused } = admit(this.rule, call.steps);
      if (call.dryRun) return refused;
      const done = await applyInOrder(
        admitted,
        1,
        (step) => {
          worked.push(step.component.name);
          return Promise.resolve(perform(control, step, faults));
        },
        faults.loseReply ? undefined : call.onResult,
      );
      if (faults.loseReply) {
        throw new ProviderError(
          'ProviderFailed',
          'The answer of the mock target was lost, as loseReply asks for.',
        );
      }
      return { ...refused, ...done };
    });
  }

  private controlOf(call: ProviderCall): MockControl {
    return mockControl(this.id === '' ? `target:${call.target.uid}` : this.id);
  }

  private async enter(call: ProviderCall, faults: MockFaults, hang = false): Promise<void> {
    const { signal } = call;
    try {
      signal.throwIfAborted();
      if (faults.latencyMs) await delay(faults.latencyMs, undefined, { signal });
      if (hang) await aborted(signal);
    } catch {
      throw abortError(signal, 'The call to the mock target');
    }
  }
}

function perform(control: MockControl, step: ComponentStep, faults: MockFaults): ApplyResult {
  const { action, component } = step;
  if (isNamed(faults.pendApply, component.name)) {
    const ticket = control.pend(step);
    const deadlineMs = faults.pendMs === undefined ? {} : { deadlineMs: faults.pendMs };
    const message = 'The mock target does it later, as pendApply asks for.';
    return { status: StateCode.Running, message, pending: { ticket, ...deadlineMs } };
  }
  if (isNamed(faults.failApply, component.name)) {
    const status = action === 'delete' ? StateCode.DeleteFailed : StateCode.UpdateFailed;
    return { status, message: 'The mock target refuses, as failApply asks for.' };
  }
  if (action === 'delete') {
    control.remove(component.name);
    return { status: StateCode.Deleted, message: '' };
  }
  control.put(component);
  return { status: StateCode.Updated, message: '' };
}

function isNamed(names: readonly string[] = [], name: string): boolean {
  return names.includes('*') || names.includes(name);
}

function falsified(component: ComponentSpec): ComponentSpec {
  return Object.assign({}, component, { properties: { ...component.properties, 'mock.lie': 'true' } });
}

function headOf(call: ProviderCall): { owner: string; target: string } {
  const { kind, namespace, name } = call.owner;
  return { owner: `${kind}/${namespace}/${name}`, target: call.target.name };
}

/** Rejects when the signal fires; ends in no other way. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const fail = (): void => reject(new Error('aborted'));
    if (signal.aborted) fail();
    else signal.addEventListener('abort', fail, { once: true });
  });
}
