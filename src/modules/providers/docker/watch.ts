import { setTimeout as delay } from 'node:timers/promises';
import type { TargetChange, WatchCall } from '@symphony/provider-kit';
import type { DockerEngine } from './engine/engine.js';
import type { EngineEvent } from './engine/types.js';
import { LABEL } from './labels.js';
import type { OwnDoings } from './own-doings.js';

const ACTIONS = ['start', 'die', 'destroy', 'pause', 'unpause', 'rename', 'update', 'health_status'];
const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 15_000;
/** A container that keeps dying is reported at once and then so often at most. */
const QUIET_MS = 5_000;
/** So long after the last start a container that died counts as recovered; the engine itself takes 10 seconds. */
const RECOVERED_MS = 11_000;

/** The events of one engine about one target, as long as somebody listens. */
export class EngineWatch {
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #troubled = new Map<string, Trouble>();

  private constructor(
    private readonly engine: DockerEngine,
    private readonly doings: OwnDoings,
    private readonly call: WatchCall,
    private readonly onChange: (change: TargetChange) => void,
  ) {
    this.#signal = AbortSignal.any([call.signal, this.#stop.signal]);
  }

  /** Resolves when it listens, or when the first attempt to do so failed. @returns what ends it */
  static async start(
    engine: DockerEngine,
    doings: OwnDoings,
    call: WatchCall,
    onChange: (change: TargetChange) => void,
  ): Promise<() => Promise<void>> {
    const watch = new EngineWatch(engine, doings, call, onChange);
    let ended: Promise<void> = Promise.resolve();
    await new Promise<void>((tried) => {
      ended = watch.#run(tried);
    });
    return async () => {
      watch.#stop.abort(new Error('the watch was ended'));
      await ended;
    };
  }

  /** Never rejects: what goes wrong is a reason to try again. */
  async #run(tried: () => void): Promise<void> {
    const label = `${LABEL.targetUid}=${this.call.target.uid}`;
    let missed = false;
    let pause = FIRST_PAUSE_MS;
    while (!this.#signal.aborted) {
      try {
        const events = await this.engine.events(label, ACTIONS, this.#signal);
        // What happened while nobody listened is not known.
        if (missed) this.#report({ what: 'listening again' });
        tried();
        const since = performance.now();
        for await (const event of events) this.#take(event);
        if (performance.now() - since > LONGEST_PAUSE_MS) pause = FIRST_PAUSE_MS;
      } catch {
        // The engine is away, or the watch is over.
      }
      missed = true;
      tried();
      await delay(pause * (0.75 + Math.random() / 2), undefined, { signal: this.#signal }).catch(
        () => undefined,
      );
      pause = Math.min(pause * 2, LONGEST_PAUSE_MS);
    }
    for (const { timer } of this.#troubled.values()) clearTimeout(timer);
    this.#troubled.clear();
  }

  #take(event: EngineEvent): void {
    const labels = event.Actor?.Attributes ?? {};
    const [ownerUid, component] = [labels[LABEL.ownerUid], labels[LABEL.component]];
    if (ownerUid === undefined || component === undefined || this.doings.caused(event)) return;
    const what = event.Action ?? '';
    const change = { ownerUid, component, what };
    if (what === 'die') this.#died(change);
    else if (what === 'start') this.#started(change);
    else {
      if (what === 'destroy') this.#forget(keyOf(change));
      this.#report(change);
    }
  }

  #forget(key: string): void {
    clearTimeout(this.#troubled.get(key)?.timer);
    this.#troubled.delete(key);
  }

  #died(change: TargetChange): void {
    const key = keyOf(change);
    const trouble = this.#troubled.get(key);
    const due = (trouble?.reported ?? -Infinity) + QUIET_MS;
    const now = performance.now();
    clearTimeout(trouble?.timer);
    if (now >= due) {
      this.#troubled.set(key, { reported: now });
      this.#report(change);
    } else {
      this.#later(key, due - now, change);
    }
  }

  /** Of interest only after it died: when it stays up, it has recovered, and no event tells that. */
  #started(change: TargetChange): void {
    const key = keyOf(change);
    const trouble = this.#troubled.get(key);
    if (trouble) this.#later(key, RECOVERED_MS, { ...change, what: 'recovered' });
  }

  #later(key: string, inMs: number, change: TargetChange): void {
    const trouble = this.#troubled.get(key);
    clearTimeout(trouble?.timer);
    const timer = setTimeout(() => {
      if (change.what === 'recovered') this.#troubled.delete(key);
      else this.#troubled.set(key, { reported: performance.now() });
      this.#report(change);
    }, inMs);
    timer.unref();
    this.#troubled.set(key, { reported: trouble?.reported ?? performance.now(), timer });
  }

  #report(change: TargetChange): void {
    if (!this.#signal.aborted) this.onChange(change);
  }
}

interface Trouble {
  /** When it was last told of a death. */
  reported: number;
  timer?: NodeJS.Timeout;
}

function keyOf({ ownerUid, component }: TargetChange): string {
  return JSON.stringify([ownerUid, component]);
}
