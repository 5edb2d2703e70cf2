import type { ComponentSpec } from '@symphony/model';
import type { Disturb } from './network.js';
import type { Random } from './random.js';
import type { VirtualTime } from './virtual-time.js';

/** What a request to a target changes. */
export interface Change {
  action: 'update' | 'delete';
  targetUid: string;
  place: string;
  ownerUid: string;
  component: ComponentSpec;
}

/** How the provider of a target behaves. Probabilities per call, or per component where it says so. */
export interface Mood {
  /** Rejects without having done anything. */
  fails: number;
  /** Reports a failure of single components. */
  failsPartly: number;
  /** Done, but reported as a failure. */
  lostReply: number;
  /** Never answers; what was asked for may have been done. */
  hangs: number;
  /** Takes seconds to answer. */
  slow: number;
  /** Says that it was applied, and it was not. Never about a removal: nobody could find that out. */
  lies: number;
  /** Reports nothing of what is there. */
  forgets: number;
  /** Ignores being aborted for up to a minute. */
  stubborn: number;
}

export const WELL: Mood = {
  fails: 0,
  failsPartly: 0,
  lostReply: 0,
  hangs: 0,
  slow: 0,
  lies: 0,
  forgets: 0,
  stubborn: 0,
};

/**
 * Within this time a request has changed the target, or it never will: what the engine assumes of providers. It is less than
 * the time between the end of a lease for its holder (two thirds) and for the others (four thirds).
 */
export const LANDING_MS = 1_500;

export function itemKey(where: {
  targetUid: string;
  place: string;
  ownerUid: string;
  component: string;
}): string {
  return `${where.targetUid}/${where.place}/${where.ownerUid}/${where.component}`;
}

/** What really runs on the targets. */
export class World {
  readonly items = new Map<string, ComponentSpec>();
  readonly moods = new Map<string, Mood>();
  changes = 0;

  constructor(
    readonly time: VirtualTime,
    readonly random: Random,
    /** Told when a request of a process has arrived. */
    readonly disturb: Disturb,
  ) {}

  moodOf(targetName: string): Mood {
    return this.moods.get(targetName) ?? WELL;
  }

  land({ action, component, ...where }: Change): void {
    const key = itemKey({ ...where, component: component.name });
    if (action === 'delete') {
      if (this.items.delete(key)) this.changes++;
      return;
    }
    if (JSON.stringify(this.items.get(key)) === JSON.stringify(component)) return;
    this.items.set(key, structuredClone(component));
    this.changes++;
  }

  find(targetUid: string, place: string, ownerUid: string, component: string): ComponentSpec | undefined {
    return this.items.get(itemKey({ targetUid, place, ownerUid, component }));
  }

  /** Somebody breaks something behind the engine's back. @returns its key */
  tamper(): string | undefined {
    const keys = [...this.items.keys()];
    if (keys.length === 0) return undefined;
    const key = this.random.pick(keys);
    const item = this.items.get(key);
    if (item && this.random.chance(0.5))
      this.items.set(key, { name: item.name, properties: { rev: 'broken' } });
    else this.items.delete(key);
    return key;
  }
}
