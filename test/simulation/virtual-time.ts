import { performance as clock } from 'node:perf_hooks';

/**
 * Whoever timers and answers belong to: an engine process. A dead one gets nothing any more; a paused one gets all that came
 * meanwhile when it goes on, its timers before what came by network, as the event loop of Node does.
 */
export interface Owner {
  alive: boolean;
  paused: boolean;
  /** What its wall clock is off by, in milliseconds. Its monotonic clock is right. */
  wallOffsetMs: number;
  readonly backlog: Happening[];
}

export interface Happening {
  at: number;
  seq: number;
  owner: Owner | undefined;
  kind: 'timer' | 'message';
  run: () => void;
  cancelled: boolean;
}

/** What patched `setTimeout` answers. */
class VirtualTimer {
  constructor(
    readonly happening: { current: Happening },
    private readonly time: VirtualTime,
    private readonly run: () => void,
    private readonly ms: number,
  ) {}

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  refresh(): this {
    this.happening.current.cancelled = true;
    this.happening.current = this.time.after(this.ms, this.run, this.happening.current.owner, 'timer');
    return this;
  }

  [Symbol.dispose](): void {
    this.happening.current.cancelled = true;
  }
}

const EPOCH = Date.UTC(2030, 0, 1);
const realImmediate = setImmediate;

/**
 * A clock that only moves from one happening to the next. While installed, the timers and clocks of the runtime are its own,
 * so that code that knows nothing of it runs under it. Between two happenings all promises settle, hence whatever runs
 * belongs to the owner of the happening: `current`.
 */
export class VirtualTime {
  /** Milliseconds since the start. */
  now = 0;
  current: Owner | undefined;
  /** Tells two executions apart: over the times of all happenings so far. */
  fingerprint = 0;
  happenings = 0;
  #seq = 0;
  readonly #heap: Happening[] = [];

  after(
    ms: number,
    run: () => void,
    owner: Owner | undefined,
    kind: Happening['kind'] = 'message',
  ): Happening {
    const happening: Happening = {
      at: this.now + Math.max(0, ms),
      seq: this.#seq++,
      owner,
      kind,
      run,
      cancelled: false,
    };
    this.#push(happening);
    return happening;
  }

  wallNow(): number {
    return EPOCH + Math.floor(this.now + (this.current?.wallOffsetMs ?? 0));
  }

  /** Goes on until that time. */
  async runUntil(end: number): Promise<void> {
    for (let next = this.#heap[0]; next && next.at <= end; next = this.#heap[0]) {
      this.#pop();
      if (!next.cancelled) await this.#happen(next);
    }
    this.now = end;
  }

  resume(owner: Owner): void {
    owner.paused = false;
    const backlog = owner.backlog.splice(0);
    for (const kind of ['timer', 'message'] as const) {
      for (const happening of backlog) {
        if (happening.kind !== kind) continue;
        happening.at = this.now;
        happening.seq = this.#seq++;
        this.#push(happening);
      }
    }
  }

  /** Replaces the runtime's timers and clocks. @returns what puts them back */
  install(): () => void {
    const saved = {
      setTimeout: globalThis.setTimeout,
      clearTimeout: globalThis.clearTimeout,
      setInterval: globalThis.setInterval,
      clearInterval: globalThis.clearInterval,
      Date: globalThis.Date,
    };
    const clear = (timer: unknown): void => {
      if (timer instanceof VirtualTimer) timer.happening.current.cancelled = true;
    };
    Object.assign(globalThis, {
      setTimeout: (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
        this.#timer(() => run(...args), ms, false),
      setInterval: (run: (...args: unknown[]) => void, ms = 0, ...args: unknown[]) =>
        this.#timer(() => run(...args), ms, true),
      clearTimeout: clear,
      clearInterval: clear,
      Date: this.#dateClass(),
    });
    Object.defineProperty(clock, 'now', { configurable: true, value: () => this.now });
    return () => {
      Object.assign(globalThis, saved);
      Reflect.deleteProperty(clock, 'now');
    };
  }

  #timer(run: () => void, ms: number, repeats: boolean): VirtualTimer {
    const owner = this.current;
    const place: { current: Happening } = {
      current: this.after(Math.max(1, ms), () => fire(), owner, 'timer'),
    };
    const fire = (): void => {
      if (repeats) place.current = this.after(Math.max(1, ms), fire, owner, 'timer');
      run();
    };
    return new VirtualTimer(place, this, run, Math.max(1, ms));
  }

  #dateClass(): DateConstructor {
    const wallNow = (): number => this.wallNow();
    const RealDate = Date;
    return class extends RealDate {
      constructor(...given: unknown[]) {
        super(...((given.length === 0 ? [wallNow()] : given) as [number]));
      }

      static override now(): number {
        return wallNow();
      }
    } as DateConstructor;
  }

  async #happen(next: Happening): Promise<void> {
    const { owner } = next;
    if (owner && !owner.alive) return;
    this.now = Math.max(this.now, next.at);
    if (owner?.paused) {
      owner.backlog.push(next);
      return;
    }
    this.happenings++;
    this.fingerprint = (Math.imul(this.fingerprint, 31) + Math.floor(this.now * 1000) + next.seq) | 0;
    this.current = owner;
    next.run();
    // All promises settle before the next thing happens.
    await new Promise<void>((resolve) => realImmediate(resolve));
    this.current = undefined;
  }

  #push(item: Happening): void {
    const heap = this.#heap;
    let at = heap.push(item) - 1;
    while (at > 0) {
      const up = (at - 1) >> 1;
      const parent = heap[up];
      if (!parent || !before(item, parent)) break;
      heap[at] = parent;
      at = up;
    }
    heap[at] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let at = 0;
    for (;;) {
      const left = heap[2 * at + 1];
      const right = heap[2 * at + 2];
      const goesRight = left !== undefined && right !== undefined && before(right, left);
      const child = goesRight ? right : left;
      if (!child || !before(child, last)) break;
      heap[at] = child;
      at = 2 * at + (goesRight ? 2 : 1);
    }
    heap[at] = last;
  }
}

function before(a: Happening, b: Happening): boolean {
  return a.at < b.at || (a.at === b.at && a.seq < b.seq);
}
