import type { LedgerSpec } from '../../../src/modes/k8s/crds/index.js';
import type { ProxiedRequest } from '../client/faulty-proxy.js';

/** What an operator does to the world outside of itself: a write to the API server, or a call of a provider. */
export interface Call {
  /** The life of objects that it belongs to; empty for what belongs to none. */
  life: string;
  /** What it is, the same in every life and every execution: `PUT ledgers/app.near a=applied b=applied`. */
  what: string;
}

/** Objects of one life bear its number: `app-7`. */
const NUMBERED = /-(\d+)\b/;
/** The owner of a ledger, its target, and a hash of both their uids. */
const LEDGER_NAME = /^(.+)\.(.+)\.[0-9a-f]{16}$/;
/** About callers, not about objects. */
const REVIEWS = new Set(['tokenreviews', 'subjectaccessreviews']);
/** For people to read, some time after what they tell of: no decision rests on them. They have lives of their own. */
const TOLD = new Set(['runhistories', 'events']);
const PATH =
  /^\/apis?\/(?:[^/]+\/)??v[^/]*\/(?:namespaces\/[^/]+\/)?(?<plural>[a-z]+)(?:\/(?<name>[^/?]+))?(?:\/(?<subresource>[a-z]+))?(?:\?|$)/;

/** What a status says while a run goes on. Whether that is written depends on how long it takes. */
export const PROGRESS = 'Reconciling';

interface Written {
  regarding?: { name?: string };
  metadata?: { name?: string; finalizers?: string[]; annotations?: object };
  spec?: Partial<LedgerSpec> & { leaseTransitions?: number; acquireTime?: string; renewTime?: string };
  status?: { status?: string | null };
}

/** Undefined for what only reads, and for what says nothing about objects. */
export function writeOf({ method, url, body }: ProxiedRequest): Call | undefined {
  if (method === 'GET') return undefined;
  const { plural = '', name, subresource } = PATH.exec(url)?.groups ?? {};
  if (REVIEWS.has(plural)) return undefined;
  const written = (body === '' ? {} : JSON.parse(body)) as Written;
  if (TOLD.has(plural)) {
    const about = written.spec?.owner?.name ?? written.regarding?.name ?? '';
    return { life: `${plural} ${numberIn(about)}`, what: `${method} ${plural}` };
  }
  const { metadata = {}, spec = {}, status } = written;
  // Renewals keep the time of the acquisition.
  if (plural === 'leases' && spec.acquireTime !== spec.renewTime) return undefined;
  const full = name ?? metadata.name ?? '';
  const [, owner = full, target] = LEDGER_NAME.exec(full) ?? [];
  const life = NUMBERED.exec(owner)?.[1] ?? '';
  const bare = [owner, ...(target === undefined ? [] : [target])].map(withoutNumber).join('.');
  const details = [
    ...(subresource === undefined ? [] : [subresource]),
    ...(status?.status === PROGRESS ? [PROGRESS] : []),
    ...(method !== 'DELETE' && metadata.finalizers !== undefined
      ? [`finalizers=${metadata.finalizers.length}`]
      : []),
    ...(spec.entries ?? []).map(({ component, state }) => `${component}=${state}`).toSorted(),
  ];
  return { life, what: [method, `${plural}/${bare}`, ...details].join(' ') };
}

export function withoutNumber(name: string): string {
  return name.replace(NUMBERED, '');
}

export function numberIn(name: string): string {
  return NUMBERED.exec(name)?.[1] ?? '';
}

/** `before`: it was not carried out. `after`: it was, and the operator does not know. */
type When = 'before' | 'after';

/** One call of a life: the n-th of its kind, counted from 1. */
export interface Point {
  what: string;
  nth: number;
  when: When;
}

export function textOf({ what, nth, when }: Point): string {
  return `${when} ${what}${nth > 1 ? ` (${nth}.)` : ''}`;
}

/** A call that came. */
export interface Made {
  readonly what: string;
  /** The API server would not have it: nothing changed. */
  refused: boolean;
}

/** Which calls came, in their order, and where to hold which of them up. */
export class Calls {
  readonly #made = new Map<string, Made[]>();
  readonly #held = new Map<string, { point: Point; reached: () => void; released: Promise<unknown> }>();

  /** What a life has done, in the order in which it began. */
  of(life: string): readonly Made[] {
    return this.#made.get(life) ?? [];
  }

  /**
   * Holds one call up: it is not carried out, or not answered, before `released`.
   * @returns resolves when the call is there, and carried out if it is held after that
   */
  hold(life: string, point: Point, released: Promise<unknown>): Promise<void> {
    return new Promise((reached) => this.#held.set(life, { point, reached, released }));
  }

  /** Nothing is held from now on that is not held yet. */
  letGo(): void {
    this.#held.clear();
  }

  /** Notes a call. @returns what to do with it */
  note(call: Call): Passing {
    const all = this.#made.get(call.life) ?? [];
    const made = { what: call.what, refused: false };
    all.push(made);
    this.#made.set(call.life, all);
    const free = { made, before: nothing, after: nothing };
    const held = this.#held.get(call.life);
    if (!held || held.point.what !== call.what) return free;
    if (all.filter(({ what }) => what === call.what).length !== held.point.nth) return free;
    const wait = async (): Promise<void> => {
      held.reached();
      await held.released;
    };
    return { ...free, [held.point.when]: wait };
  }
}

/** Awaited around the carrying out of a call. */
export interface Passing {
  made: Made;
  before: () => Promise<void>;
  after: () => Promise<void>;
}

const nothing = (): Promise<void> => Promise.resolve();
