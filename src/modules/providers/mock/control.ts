import { textForm, type ComponentStep } from '@symphony/provider-kit';
import type { ComponentSpec } from '@symphony/model';
import type { MockFaults } from './faults.js';

/** One call that a mock target got. */
export interface MockCall {
  operation: 'get' | 'apply';
  /** `<kind>/<namespace>/<name>` of the owner. */
  owner: string;
  /** Name of the target. */
  target: string;
  /** Names, in the order of the step. */
  components: readonly string[];
  /** For apply: those that were worked on, in that order; others depend on one that failed. */
  worked?: string[];
  /** For apply. */
  action?: 'update' | 'delete';
  dryRun?: boolean;
  /** Milliseconds of the process's monotonic clock. */
  startedAt: number;
  /** Absent while it runs. */
  endedAt?: number;
  outcome?: 'fulfilled' | 'rejected';
}

/** Calls that a control remembers; the oldest go first. */
const MAX_CALLS = 10_000;

/** A mock target seen from a test: its contents, its calls and its faults. */
export class MockControl {
  private readonly table = new Map<string, ComponentSpec>();
  private readonly log: MockCall[] = [];
  private readonly active = new Map<string, number>();
  private readonly highest = new Map<string, number>();
  private readonly watchers = new Set<() => void>();
  private readonly pending = new Map<string, ComponentStep>();
  private lastTicket = 0;
  private runtimeFaults: MockFaults = {};
  private writeCount = 0;

  /** Sets faults; they win over those of the binding. A key that is set to undefined takes effect as "none". */
  set(faults: MockFaults): void {
    this.runtimeFaults = { ...this.runtimeFaults, ...faults };
    this.changed();
  }

  /** Takes back what `set` did. Calls that hang go on hanging until they are aborted. */
  heal(): void {
    this.runtimeFaults = {};
    this.changed();
  }

  /** Tickets of what was accepted and is not done, the oldest first. */
  get tickets(): string[] {
    return [...this.pending.keys()];
  }

  /** The agent behind the target does what it accepted; telling the engine is another matter. */
  finish(ticket: string): void {
    const step = this.pending.get(ticket);
    if (!step) return;
    this.pending.delete(ticket);
    if (step.action === 'delete') this.remove(step.component.name);
    else this.put(step.component);
    this.changed();
  }

  /** Empties the target and forgets calls and faults. */
  reset(): void {
    this.table.clear();
    this.pending.clear();
    this.log.length = 0;
    this.highest.clear();
    this.writeCount = 0;
    this.heal();
  }

  /** The faults in effect for a binding. */
  faults(configured: MockFaults): MockFaults {
    return { ...configured, ...this.runtimeFaults };
  }

  /** Somebody changes a component behind the engine's back: other properties, or gone. */
  breakComponent(name: string, properties?: Record<string, unknown>): void {
    const found = this.table.get(name);
    if (!found) return;
    if (properties) this.table.set(name, Object.assign({}, found, { properties }));
    else this.table.delete(name);
    this.changed();
  }

  /** What the target holds, in the order in which it came. */
  get contents(): ComponentSpec[] {
    return [...this.table.values()].map((component) => structuredClone(component));
  }

  /** The calls so far, oldest first, those that run included. */
  get calls(): readonly MockCall[] {
    return this.log;
  }

  /** How many times the contents were changed by calls. */
  get writes(): number {
    return this.writeCount;
  }

  /** How many calls ran at the same time at most: of one owner (`<kind>/<namespace>/<name>`), or of all. */
  maxConcurrency(owner = '*'): number {
    return this.highest.get(owner) ?? 0;
  }

  /** Resolves when the condition holds; looked at after each call's begin and end, and after each change. */
  async until(condition: (control: this) => boolean, signal?: AbortSignal): Promise<void> {
    if (condition(this)) return;
    await new Promise<void>((resolve, reject) => {
      const end = (finish: () => void): void => {
        this.watchers.delete(look);
        signal?.removeEventListener('abort', stop);
        finish();
      };
      const look = (): void => {
        if (condition(this)) end(resolve);
      };
      const stop = (): void => end(() => reject(new Error('The wait was aborted.')));
      this.watchers.add(look);
      signal?.addEventListener('abort', stop);
      if (signal?.aborted) stop();
    });
  }

  /** For the provider. @internal */
  find(name: string): ComponentSpec | undefined {
    return this.table.get(name);
  }

  /** For the provider: replaces what is there; the same again is no write. @internal */
  put(component: ComponentSpec): void {
    const before = this.table.get(component.name);
    if (before && textForm(before) === textForm(component)) return;
    this.table.set(component.name, structuredClone(component));
    this.writeCount += 1;
  }

  /** For the provider: remembers what is to be done later. @returns its ticket @internal */
  pend(step: ComponentStep): string {
    const ticket = `ticket-${++this.lastTicket}`;
    this.pending.set(ticket, structuredClone(step));
    return ticket;
  }

  /** For the provider. @internal */
  remove(name: string): void {
    if (this.table.delete(name)) this.writeCount += 1;
  }

  /** For the provider: records a call around its work. @internal */
  async record<T>(call: Omit<MockCall, 'startedAt'>, work: () => Promise<T>): Promise<T> {
    const entry: MockCall = { ...call, startedAt: performance.now() };
    this.log.push(entry);
    if (this.log.length > MAX_CALLS) this.log.shift();
    const keys = ['*', call.owner];
    for (const key of keys) this.enter(key);
    this.changed();
    try {
      const result = await work();
      entry.outcome = 'fulfilled';
      return result;
    } catch (error) {
      entry.outcome = 'rejected';
      throw error;
    } finally {
      entry.endedAt = performance.now();
      for (const key of keys) this.leave(key);
      this.changed();
    }
  }

  private enter(key: string): void {
    const count = (this.active.get(key) ?? 0) + 1;
    this.active.set(key, count);
    this.highest.set(key, Math.max(count, this.highest.get(key) ?? 0));
  }

  private leave(key: string): void {
    const count = (this.active.get(key) ?? 0) - 1;
    if (count > 0) this.active.set(key, count);
    else this.active.delete(key);
  }

  private changed(): void {
    for (const look of this.watchers) look();
  }
}

const controls = new Map<string, MockControl>();

/** The mock target with this id; made when nobody has asked for it before. */
export function mockControl(id: string): MockControl {
  let control = controls.get(id);
  if (!control) {
    control = new MockControl();
    controls.set(id, control);
  }
  return control;
}
