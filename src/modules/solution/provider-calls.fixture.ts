import type { ComponentSpec } from '@symphony/model';
import type { TargetProvider } from '@symphony/provider-kit';
import { sampleCall } from '@symphony/provider-kit/conformance';
import { ProviderRegistry } from '../providers/index.js';
import { ProviderCalls, type CallSite } from './provider-calls.js';

export const TYPE = 'providers.target.test';

/** For tests: calls of providers that do what the test says. */
export function callsOf(create: (config: Readonly<Record<string, string>>) => Partial<TargetProvider>): {
  registry: ProviderRegistry;
  calls: ProviderCalls;
} {
  const registry = new ProviderRegistry();
  const refuse = (): Promise<never> => Promise.reject(new Error('the test does not expect this call'));
  registry.register({
    type: TYPE,
    concurrency: 1,
    watches: true,
    create: (config) => ({ rule: {}, get: refuse, apply: refuse, ...create(config) }),
  });
  return { registry, calls: new ProviderCalls(registry, { abortGraceMs: 50 }) };
}

export function siteOf(config: Record<string, string> = {}): CallSite {
  const never = new AbortController().signal;
  const binding = { role: 'instance', provider: TYPE };
  return { binding, config, stop: never, cancel: never, redact: (text) => text };
}

/** A call for these components on a target of its own. */
export function callFor(components: readonly ComponentSpec[], target = 't') {
  const { signal: _signal, timeoutMs: _timeoutMs, redact: _redact, ...call } = sampleCall(components);
  const steps = components.map((component) => ({ action: 'update' as const, component }));
  return { ...call, target: { ...call.target, uid: target }, references: steps, steps, dryRun: false };
}
