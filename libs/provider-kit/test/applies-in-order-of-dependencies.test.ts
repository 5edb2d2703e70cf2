import { describe, expect, it } from 'vitest';
import { applyInOrder, type ComponentStep } from '@symphony/provider-kit';

const step = (
  name: string,
  dependencies: string[] = [],
  action: 'update' | 'delete' = 'update',
): ComponentStep => ({
  action,
  component: { name, dependencies },
});

/** Runs the steps and notes when each begins and ends. */
async function trace(steps: ComponentStep[], atOnce: number, failing: string[] = []) {
  const events: string[] = [];
  let most = 0;
  let now = 0;
  const results = await applyInOrder(steps, atOnce, async ({ component: { name } }) => {
    events.push(`+${name}`);
    most = Math.max(most, ++now);
    await Promise.resolve();
    now--;
    events.push(`-${name}`);
    return { status: failing.includes(name) ? 8001 : 8004, message: '' };
  });
  return { events, results, most };
}

describe('applyInOrder', () => {
  it('begins a component only after what it depends on has ended', async () => {
    const { events } = await trace([step('c', ['b']), step('b', ['a']), step('a')], 4);
    expect(events).toEqual(['+a', '-a', '+b', '-b', '+c', '-c']);
  });

  it('removes dependents first, and keeps what one that could not be removed depends on', async () => {
    const steps = [step('a', [], 'delete'), step('b', ['a'], 'delete'), step('c', ['b'], 'delete')];
    expect((await trace(steps, 4)).events).toEqual(['+c', '-c', '+b', '-b', '+a', '-a']);
    const { events, results } = await trace(steps, 4, ['b']);
    expect(events).toEqual(['+c', '-c', '+b', '-b']);
    expect(results).toMatchObject({ a: { status: 8002 }, b: { status: 8001 }, c: { status: 8004 } });
    expect(results['a']?.message).toContain("'b'");
  });

  it('does not apply what depends on something that is only pending', async () => {
    const begun: string[] = [];
    const results = await applyInOrder([step('a'), step('b', ['a'])], 4, ({ component: { name } }) => {
      begun.push(name);
      return Promise.resolve({ status: 0, message: '', pending: {} });
    });
    expect(begun).toEqual(['a']);
    expect(results).toMatchObject({ a: { pending: {} }, b: { status: 8001 } });
  });

  it('tells each result as soon as it is known, also before a rejection', async () => {
    const told: string[] = [];
    const run = applyInOrder(
      [step('a'), step('b', ['a'])],
      4,
      ({ component: { name } }) =>
        name === 'a' ? Promise.resolve({ status: 8004, message: '' }) : Promise.reject(new Error('cut')),
      (name, { status }) => told.push(`${name} ${status}`),
    );
    await expect(run).rejects.toThrow('cut');
    expect(told).toEqual(['a 8004']);
  });

  it('does not apply what depends on a failure, nor what depends on that', async () => {
    const { events, results } = await trace([step('a'), step('b', ['a']), step('c', ['b']), step('d')], 1, [
      'a',
    ]);
    expect(events).toEqual(['+a', '-a', '+d', '-d']);
    expect(results).toMatchObject({ b: { status: 8001 }, c: { status: 8001 }, d: { status: 8004 } });
    expect(results['c']?.message).toContain("'b'");
  });

  it('works on no more than it may at once', async () => {
    const steps = Array.from({ length: 9 }, (_, index) => step(`c${index}`));
    expect((await trace(steps, 3)).most).toBe(3);
  });

  it('ends although components wait for each other', async () => {
    const { results } = await trace([step('a', ['b']), step('b', ['a']), step('self', ['self'])], 4);
    expect(Object.keys(results).sort()).toEqual(['a', 'b', 'self']);
  });

  it('begins nothing after a rejection, and waits for what runs', async () => {
    const begun: string[] = [];
    const ended: string[] = [];
    const run = applyInOrder(
      [step('bad'), step('slow'), step('never')],
      2,
      async ({ component: { name } }) => {
        begun.push(name);
        if (name === 'bad') throw new Error('the target is away');
        await new Promise((resolve) => setImmediate(resolve));
        ended.push(name);
        return { status: 8004, message: '' };
      },
    );
    await expect(run).rejects.toThrow('the target is away');
    expect(begun).toEqual(['bad', 'slow']);
    expect(ended).toEqual(['slow']);
  });
});
