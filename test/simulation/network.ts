import { UnavailableError } from '@symphony/model';
import type { Soon } from './lane-keeper.js';
import type { Random } from './random.js';
import type { Happening, Owner, VirtualTime } from './virtual-time.js';

/** How often what goes wrong between an engine process and the database: probabilities per call. */
export interface StoreFaults {
  /** Refused before anything was done. */
  refused: number;
  /** Done, and the connection is lost before the answer. */
  lostReply: number;
  /** Answered after many seconds with an error, done or not. */
  hangs: number;
  /** Takes up to a few seconds. */
  slow: number;
}

export interface WakeFaults {
  lost: number;
  repeated: number;
  late: number;
}

export const NO_STORE_FAULTS: StoreFaults = { refused: 0, lostReply: 0, hangs: 0, slow: 0 };
export const NO_WAKE_FAULTS: WakeFaults = { lost: 0, repeated: 0, late: 0 };

/** Told of each moment at which the fate of a process matters; may kill it or let it stand still. */
export type Disturb = (owner: Owner, when: string) => void;

type Answer<T> = { value: Soon<T> } | { error: unknown };

/** The connections between engine processes and the database. */
export class Network {
  store = NO_STORE_FAULTS;
  wake = NO_WAKE_FAULTS;

  constructor(
    private readonly time: VirtualTime,
    private readonly random: Random,
    private readonly disturb: Disturb,
  ) {}

  /** One call to the database: a way there, one transaction, a way back; each of them can fail. */
  call<T>(owner: Owner, what: string, transaction: () => Soon<T>): Promise<T> {
    const { random, store: faults } = this;
    return new Promise<T>((resolve, reject) => {
      // What a dead process still does in this instant goes nowhere.
      if (!owner.alive) return;
      const answer = (after: number, reply: Answer<T>): Happening =>
        this.time.after(after, () => ('error' in reply ? reject(reply.error) : resolve(reply.value)), owner);
      const slow = random.chance(faults.slow);
      const leg = (): number => (slow ? random.between(50, 4_000) : random.delay(0.2, 8));
      if (random.chance(faults.refused)) {
        answer(leg(), { error: gone() });
        return;
      }
      this.disturb(owner, `before ${what}`);
      if (!owner.alive) return;
      const hangs = random.chance(faults.hangs);
      if (hangs && random.chance(0.5)) {
        answer(random.between(5_000, 30_000), { error: gone() });
        return;
      }
      const lost = random.chance(faults.lostReply);
      this.time.after(
        leg(),
        () => {
          const reply = attempt(transaction);
          this.disturb(owner, `after ${what}`);
          if (hangs) answer(random.between(5_000, 30_000), { error: gone() });
          else answer(leg(), lost ? { error: gone() } : reply);
        },
        undefined,
      );
    });
  }

  /** A hint to another process: it may come late, twice or never. */
  hint(owner: Owner, deliver: () => void): void {
    const { random, wake } = this;
    if (random.chance(wake.lost)) return;
    const copies = random.chance(wake.repeated) ? 3 : 1;
    for (let i = 0; i < copies; i++) {
      const after = random.chance(wake.late) ? random.between(100, 20_000) : random.delay(1, 20);
      this.time.after(after, deliver, owner);
    }
  }
}

function attempt<T>(transaction: () => Soon<T>): Answer<T> {
  try {
    const value = transaction();
    // Whoever waits for the answer may never get it.
    if (value instanceof Promise) value.catch(() => undefined);
    return { value };
  } catch (error) {
    return { error };
  }
}

function gone(): UnavailableError {
  return new UnavailableError('The database cannot be reached at the moment.', 'DatabaseUnavailable');
}
