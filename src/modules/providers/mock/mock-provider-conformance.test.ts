import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, it } from 'vitest';
import { conformance, type ConformanceHarness } from '@symphony/provider-kit/conformance';
import { mockControl, mockProvider } from './index.js';

function makeHarness(): Promise<ConformanceHarness> {
  const id = randomUUID();
  const control = mockControl(id);
  const binding = { role: 'instance', provider: 'providers.target.mock' };
  return Promise.resolve({
    provider: mockProvider().create({ id }, binding),
    component: (name, revision, secret = '') => ({ name, properties: { revision, secret } }),
    look: () =>
      Promise.resolve(
        Object.fromEntries(
          control.contents.map(({ name, properties }) => [name, JSON.stringify(properties)]),
        ),
      ),
    writes: () => Promise.resolve(String(control.writes)),
    makeUnreadable: () => Promise.resolve(control.set({ failGet: true })),
    makeHang() {
      control.set({ hangApply: true, hangGet: true });
      return Promise.resolve({ stuck: control.until(({ calls }) => calls.length > 0) });
    },
    makeFail: () => Promise.resolve(control.set({ failApply: ['*'] })),
    makePend() {
      control.set({ pendApply: ['*'] });
      const finish = (): Promise<void> =>
        Promise.resolve(control.tickets.forEach((it) => control.finish(it)));
      return Promise.resolve({ finish });
    },
    dispose: () => Promise.resolve(control.reset()),
  });
}

conformance('the mock provider', makeHarness, { describe, it, delay });
