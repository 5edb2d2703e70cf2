import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { StateCode, type ComponentSpec } from '@symphony/model';
import { abortError, admit, ProviderError, textForm, type TargetProvider } from '@symphony/provider-kit';
import { conformance, CONFORMANCE_CHECKS, type ConformanceHarness } from '@symphony/provider-kit/conformance';

/** Ways to break the contract, one by one. */
type Flaw =
  | 'empty-instead-of-error'
  | 'reports-everything'
  | 'writes-again'
  | 'ignores-updates'
  | 'removes-all'
  | 'fails-on-missing'
  | 'dry-run-applies'
  | 'validates-nothing'
  | 'refuses-the-whole-step'
  | 'names-others'
  | 'ignores-abort'
  | 'fulfils-after-abort'
  | 'ignores-early-abort'
  | 'quotes-secrets'
  | 'forgets';

/** The smallest correct provider: a map, with faults that the harness switches on and flaws for the suite to find. */
function harnessOf(flaw?: Flaw): Promise<ConformanceHarness> {
  const table = new Map<string, ComponentSpec>();
  let writes = 0;
  let mode: 'works' | 'unreadable' | 'hangs' | 'fails' = 'works';
  let reportStuck: () => void = () => undefined;
  const whenStuck = new Promise<void>((resolve) => {
    reportStuck = resolve;
  });

  const enter = async (signal: AbortSignal): Promise<void> => {
    if (signal.aborted && flaw !== 'ignores-early-abort') throw abortError(signal, 'The call');
    if (mode !== 'hangs') return;
    reportStuck();
    await new Promise<void>((resolve, reject) => {
      if (flaw === 'ignores-abort') return;
      signal.addEventListener('abort', () => {
        if (flaw === 'fulfils-after-abort') resolve();
        else reject(abortError(signal, 'The call'));
      });
    });
  };

  const provider: TargetProvider = {
    rule: { componentValidationRule: { requiredProperties: ['value'] } },
    async get({ references, signal }) {
      await enter(signal);
      if (mode === 'unreadable') {
        if (flaw === 'empty-instead-of-error') return [];
        throw new ProviderError('ObservationFailed', 'The table cannot be read.');
      }
      const wanted = new Set(references.map((step) => step.component.name));
      return [...table.values()].filter(({ name }) => flaw === 'reports-everything' || wanted.has(name));
    },
    async apply({ steps, signal, dryRun, redact = (text) => text }) {
      await enter(signal);
      if (mode === 'fails') {
        const text = `cannot apply ${JSON.stringify(steps)}`;
        throw new ProviderError('ProviderFailed', flaw === 'quotes-secrets' ? text : redact(text));
      }
      const { admitted, refused } =
        flaw === 'validates-nothing' ? { admitted: steps, refused: {} } : admit(provider.rule, steps);
      if (flaw === 'refuses-the-whole-step' && Object.keys(refused).length > 0) {
        throw new ProviderError('ValidationFailed', 'Something is not valid.');
      }
      const results = { ...refused };
      if (dryRun && flaw !== 'dry-run-applies') return results;
      for (const { action, component } of admitted) {
        const before = table.get(component.name);
        if (action === 'delete') {
          if (!before && flaw === 'fails-on-missing') {
            results[component.name] = { status: StateCode.DeleteFailed, message: 'not there' };
            continue;
          }
          if (flaw === 'removes-all') table.clear();
          writes += table.delete(component.name) ? 1 : 0;
          results[component.name] = { status: StateCode.Deleted, message: '' };
        } else {
          const same = before && textForm(before.properties) === textForm(component.properties);
          if ((!same && !(before && flaw === 'ignores-updates')) || flaw === 'writes-again') {
            if (flaw !== 'forgets') table.set(component.name, component);
            writes += 1;
          }
          results[component.name] = { status: StateCode.Updated, message: '' };
        }
      }
      if (flaw === 'names-others')
        for (const name of table.keys()) results[name] = { status: 200, message: '' };
      return results;
    },
  };

  return Promise.resolve({
    provider,
    component: (name, revision, secret = '') => ({ name, properties: { value: `${revision}${secret}` } }),
    look: () =>
      Promise.resolve(
        Object.fromEntries([...table].map(([name, spec]) => [name, textForm(spec.properties)])),
      ),
    writes: () => Promise.resolve(String(writes)),
    makeUnreadable: () => Promise.resolve(void (mode = 'unreadable')),
    makeHang: () => {
      mode = 'hangs';
      return Promise.resolve({ stuck: whenStuck });
    },
    makeFail: () => Promise.resolve(void (mode = 'fails')),
    dispose: () => Promise.resolve(),
  });
}

conformance('the smallest provider', () => harnessOf(), { describe, it, delay });

/** For each flaw, the check that must find it. */
const FOUND_BY: Record<Flaw, string> = {
  'empty-instead-of-error': 'rejects when the target cannot be read',
  'reports-everything': 'reports only what was asked for',
  'writes-again': 'changes nothing when it applies the same again',
  'ignores-updates': 'applies a change',
  'removes-all': 'removes one and leaves the others',
  'fails-on-missing': 'succeeds in removing what is gone',
  'dry-run-applies': 'touches nothing in a dry run',
  'validates-nothing': 'refuses a component that lacks',
  'refuses-the-whole-step': 'refuses a component that lacks',
  'names-others': 'names only components of the step',
  'ignores-abort': 'ends an apply within',
  'fulfils-after-abort': 'ends an apply within',
  'ignores-early-abort': 'does nothing for a call that was aborted before it began',
  'quotes-secrets': 'keeps secrets out of errors',
  forgets: 'shows what was applied',
};

describe('the suite notices', () => {
  it.each(Object.entries(FOUND_BY))('%s', async (flaw, title) => {
    const found = CONFORMANCE_CHECKS.find(({ name }) => name.startsWith(title));
    await expect(found?.run(await harnessOf(flaw as Flaw), { delay })).rejects.toThrow();
  });
});
