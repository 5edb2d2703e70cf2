import { randomBytes } from 'node:crypto';
import { TargetSpec } from '@symphony/model';
import { sampleCall } from '@symphony/provider-kit/conformance';
import { expect, test } from 'vitest';
import { ProviderRegistry } from '../providers/index.js';
import { ProviderCalls, RunPlanner, TargetHealth, ValueSources } from '../solution/index.js';
import { Ledger } from './ledger.js';
import { TargetWatcher } from './target-watcher.js';

const MANY = 600;
const TYPE = 'providers.target.test';
const BINDING = { role: 'instance', provider: TYPE };

class NoBreakers extends TargetHealth {
  readonly failed = (): Promise<undefined> => Promise.resolve(undefined);
  readonly recovered = (): Promise<void> => Promise.resolve();
  readonly takeProbe = (): Promise<boolean> => Promise.resolve(true);
}

class EmptyLedger extends Ledger {
  readonly entriesOf = (): Promise<[]> => Promise.resolve([]);
  readonly ownersOn = () => Promise.resolve({ total: 0, owners: [] });
  readonly begin = (): Promise<void> => Promise.resolve();
  readonly settle = (): Promise<void> => Promise.resolve();
}

test('however many other targets are called meanwhile, and gives it back when it ends', async () => {
  const closed: string[] = [];
  let begun = (_signal: AbortSignal): void => undefined;
  const watched = new Promise<AbortSignal>((resolve) => (begun = resolve));
  const registry = new ProviderRegistry();
  registry.register({
    type: TYPE,
    concurrency: 1,
    watches: true,
    create: ({ id = '' }) => ({
      rule: {},
      get: () => Promise.resolve([]),
      apply: () => Promise.reject(new Error('nothing is applied')),
      watch: ({ signal }) => {
        begun(signal);
        return Promise.resolve(() => Promise.resolve());
      },
      close: () => {
        closed.push(id);
        return Promise.resolve();
      },
    }),
  });
  const calls = new ProviderCalls(registry);
  const callOthers = async (turn: string): Promise<void> => {
    const never = new AbortController().signal;
    const site = { binding: BINDING, stop: never, cancel: never, redact: (text: string) => text };
    const call = { ...sampleCall([]), references: [] };
    for (let i = 0; i < MANY; i++) await calls.get({ ...site, config: { id: `${turn} ${i}` } }, call);
  };
  const options = { digestKey: randomBytes(32), targetsAtOnce: 1 };
  const planner = new RunPlanner(new ValueSources([]), calls, new NoBreakers(), options);
  const watcher = new TargetWatcher(planner, new EmptyLedger(), { order: () => Promise.resolve() });
  watcher.onApplicationBootstrap();
  const place = await planner.place(
    {
      owner: { kind: 'Instance', namespace: 'default', name: 'app', uid: 'app' },
      targetUid: 'watched',
      targetName: 'watched',
      target: { name: 'watched', uid: 'watched', spec: new TargetSpec() },
      role: 'instance',
      binding: { ...BINDING, config: { id: 'watched' } },
      bindingHash: '',
      scope: 'default',
    },
    new AbortController().signal,
  );
  planner.onObserved(place);
  const signal = await watched;
  await callOthers('first');
  expect(closed.length).toBeGreaterThan(0);
  expect(closed).not.toContain('watched');

  watcher.beforeApplicationShutdown();
  expect(signal.aborted).toBe(true);
  await callOthers('second');
  expect(closed).toContain('watched');
});
