import { Random } from '../../simulation/random.js';
import type { ProxiedRequest } from '../client/faulty-proxy.js';

/** `targets`, of the path of a collection. */
export function resourceOf(url: string): string {
  return /\/([a-z]+)(?:\?|$)/.exec(url)?.[1] ?? '';
}

const WAYS = ['passed', 'lost', 'repeated', 'late', 'swapped'] as const;
type Way = (typeof WAYS)[number];

/** Up to which of 1 a way is chosen. */
const UP_TO: readonly [number, Way][] = [
  [0.2, 'lost'],
  [0.4, 'repeated'],
  [0.6, 'late'],
  [0.8, 'swapped'],
];
const LATE_MS = 400;
/** What waits for the event that it is to come after, comes then. */
const SWAP_MS = 1_000;

/**
 * What a bad network would do to the events of watches, chosen by a seed: they get lost, come twice, late, or after the next
 * one. Bookmarks go through, so that a watch that is opened again does not go back to before what was lost.
 */
export class WatchChaos {
  /** How often, by kind of object and way. */
  readonly done = new Map<string, number>();
  readonly #waiting = new Map<string, string>();
  readonly #random: Random;

  constructor(readonly seed: number) {
    this.#random = new Random(seed);
  }

  tamper(line: string, { url }: ProxiedRequest, later: (line: string) => void): readonly string[] {
    if (/"type":"(BOOKMARK|ERROR)"/.test(line)) return [line];
    const resource = resourceOf(url);
    const way = this.#way();
    const key = `${resource} ${way}`;
    this.done.set(key, (this.done.get(key) ?? 0) + 1);
    const before = this.#waiting.get(resource);
    this.#waiting.delete(resource);
    const waited = before === undefined ? [] : [before];
    if (way === 'late' || way === 'repeated') {
      setTimeout(() => later(line), LATE_MS * this.#random.next());
    }
    if (way === 'swapped') {
      this.#waiting.set(resource, line);
      setTimeout(() => {
        if (this.#waiting.get(resource) !== line) return;
        this.#waiting.delete(resource);
        later(line);
      }, SWAP_MS);
    }
    const now = way === 'passed' ? [line] : way === 'repeated' ? [line, line] : [];
    return [...now, ...waited];
  }

  #way(): Way {
    const chance = this.#random.next();
    return UP_TO.find(([limit]) => chance < limit)?.[1] ?? 'passed';
  }
}
