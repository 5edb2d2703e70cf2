import type { WakeHint } from '../../src/modules/queue/index.js';
import type { WriteEffects } from '../../src/modules/state/index.js';
import { Checker, type Violation } from './checker.js';
import { EngineProcess } from './engine-process.js';
import { MemoryKeeper } from './memory-keeper.js';
import { Network, NO_STORE_FAULTS, NO_WAKE_FAULTS } from './network.js';
import { differences } from './oracle.js';
import type { PlantedBug } from './planted-bugs.js';
import { Random } from './random.js';
import { Users } from './scenario.js';
import { Tables } from './tables.js';
import { VirtualTime, type Owner } from './virtual-time.js';
import { WELL, World, type Mood } from './world.js';

export const LANES_KINDS = ['table', 'memory'] as const;
type LanesKind = (typeof LANES_KINDS)[number];

export interface SimulationOptions {
  seed: number;
  bug?: PlantedBug;
  /** What keeps the lanes: the model of the database's tables, or the product's lanes in memory. Default: table. */
  lanes?: LanesKind;
  /** Gets what happens, line by line. */
  trace?: (line: string) => void;
}

export interface SimulationResult {
  seed: number;
  violations: Violation[];
  virtualMs: number;
  happenings: number;
  /** Equal for equal executions. */
  fingerprint: number;
  counts: Checker['counts'] & {
    crashes: number;
    pauses: number;
    leaders: number;
    writes: number;
    changes: number;
  };
}

/** After the faults are healed everything has to be as declared within this time. */
const CONVERGES_MS = 20 * 60_000;
/** And has to stay so, with nothing done to any target. */
const STAYS_MS = 90_000;
/** Clocks of a database server are not moved further than what the leases leave as a margin. */
const MAX_CLOCK_JUMP_MS = 1_000;
/** A lease and a third of it, and a little. */
const NO_LEADER_MS = 7_000;

/** One random life of a few engine processes on one database, decided by the seed alone. */
export async function simulate(options: SimulationOptions): Promise<SimulationResult> {
  const simulation = new Simulation(options);
  const restore = simulation.time.install();
  const onRejection = (error: unknown): void =>
    simulation.checker.violate('engine-fault', `unhandled: ${String(error)}`);
  process.on('unhandledRejection', onRejection);
  try {
    return await simulation.run();
  } finally {
    restore();
    process.off('unhandledRejection', onRejection);
  }
}

class Simulation {
  readonly time = new VirtualTime();
  readonly checker: Checker;
  readonly #random: Random;
  readonly #fate: Random;
  readonly #tables: Tables;
  readonly #world: World;
  readonly #network: Network;
  readonly #users: Users;
  readonly #processes: EngineProcess[] = [];
  readonly #counts = { crashes: 0, pauses: 0, leaders: 0, writes: 0 };
  /** Per moment at which it matters. */
  #crashRate = 0;
  #stallRate = 0;
  #jumpedAt = -Infinity;
  #healed = false;

  constructor(private readonly options: SimulationOptions) {
    const { time } = this;
    this.#random = new Random(options.seed);
    this.#fate = this.#fork();
    const inMemory = options.lanes === 'memory';
    this.#tables = new Tables(
      time,
      this.#fork(),
      inMemory ? (tables, random) => new MemoryKeeper(tables, random, time) : undefined,
    );
    this.#world = new World(time, this.#fork(), this.#disturb);
    this.checker = new Checker(time, this.#tables, this.#world, this.#trace);
    this.#network = new Network(time, this.#fork(), this.#disturb);
    this.#users = new Users(this.#tables, this.#fork(), this.#trace);
  }

  async run(): Promise<SimulationResult> {
    const { time } = this;
    const random = this.#random;
    for (let i = 0; i < random.integer(1, 3); i++) this.#start(`e${i + 1}`, random.between(0, 500));
    this.#arrange();
    const calamityMs = random.between(40_000, 150_000);
    this.#write(() => this.#users.begin(), random.between(0, 2_000));
    this.#repeatedly(calamityMs, 12_000, () => this.#wake(this.#users.act()));
    this.#inflict(calamityMs);
    await time.runUntil(calamityMs);
    this.#heal();
    await this.#converge();
    return {
      seed: this.options.seed,
      violations: this.checker.violations,
      virtualMs: time.now,
      happenings: time.happenings,
      fingerprint: time.fingerprint,
      counts: { ...this.checker.counts, ...this.#counts, changes: this.#world.changes },
    };
  }

  readonly #trace = (text: string): void => {
    this.options.trace?.(`${(this.time.now / 1000).toFixed(3).padStart(9)} ${text}`);
  };

  readonly #disturb = (owner: Owner, when: string): void => {
    const engine = this.#processes.find((candidate) => candidate === owner);
    if (!engine || this.#healed) return;
    if (this.#fate.chance(this.#crashRate)) this.#kill(engine, when);
    else if (this.#fate.chance(this.#stallRate)) this.#pause(engine, when);
  };

  #fork(): Random {
    return new Random(this.#random.integer(0, 2 ** 31));
  }

  #start(name: string, afterMs: number): void {
    this.time.after(
      afterMs,
      () => {
        const engine = new EngineProcess(
          name,
          {
            network: this.#network,
            tables: this.#tables,
            checker: this.checker,
            world: this.#world,
            bug: this.options.bug,
          },
          this.#trace,
          (from, hint) => this.#hint(from, hint),
        );
        this.#processes.push(engine);
        this.#trace(`${name} starts`);
        // Its own timers are its own.
        this.time.current = engine;
        engine.manager.start();
      },
      undefined,
    );
  }

  #kill(engine: EngineProcess, why: string): void {
    if (!engine.alive) return;
    engine.alive = false;
    this.#counts.crashes++;
    this.#trace(`${engine.name} dies ${why}`);
    this.#start(engine.name, this.#healed ? 100 : this.#random.between(50, 20_000));
  }

  /** Here at once, elsewhere by a hint that may get lost. */
  #hint(from: EngineProcess | undefined, hint: WakeHint): void {
    from?.jobs.deliver(hint);
    for (const engine of this.#live()) {
      if (engine !== from)
        this.#network.hint(engine, () => engine.jobs.deliver({ lanes: [], fanOuts: hint.fanOuts }));
    }
  }

  #live(): EngineProcess[] {
    return this.#processes.filter((engine) => engine.alive);
  }

  #write(work: () => WriteEffects[], afterMs: number): void {
    this.time.after(afterMs, () => this.#wake(work()), undefined);
  }

  /** A write comes in through one of the processes, which is told of it at once. */
  #wake(effects: readonly WriteEffects[]): void {
    this.#counts.writes += effects.length;
    for (const { orders, fanOuts } of effects) {
      if (orders.length === 0 && fanOuts.length === 0) continue;
      const hint: WakeHint = { lanes: orders, fanOuts: fanOuts.length > 0 };
      const live = this.#live().filter((engine) => !engine.paused);
      const through = live.length > 0 ? this.#random.pick(live) : undefined;
      if (through) this.time.after(0.1, () => this.#hint(through, hint), through);
      else this.#hint(undefined, hint);
    }
  }

  /** Which faults this life has, and how often: every seed has a mixture of its own. */
  #arrange(): void {
    const random = this.#random;
    const some = (most: number): number => (random.chance(0.5) ? random.between(0, most) : 0);
    this.#network.store = {
      refused: some(0.08),
      lostReply: some(0.06),
      hangs: some(0.01),
      slow: some(0.1),
    };
    this.#crashRate = some(0.004);
    this.#stallRate = some(0.008);
    this.#network.wake = { lost: random.chance(0.2) ? 1 : some(0.5), repeated: some(0.3), late: some(0.5) };
  }

  #inflict(untilMs: number): void {
    const random = this.#random;
    const often = (ms: number, what: () => void): void => {
      if (random.chance(0.6)) this.#repeatedly(untilMs, ms, what);
    };
    const any = (what: (engine: EngineProcess) => void) => (): void => {
      const live = this.#live().filter((engine) => !engine.paused && !engine.draining);
      if (live.length > 0) what(random.pick(live));
    };
    often(
      20_000,
      any((engine) => this.#kill(engine, 'by SIGKILL')),
    );
    often(
      25_000,
      any((engine) => this.#pause(engine)),
    );
    often(
      60_000,
      any((engine) => this.#drain(engine)),
    );
    often(
      30_000,
      any((engine) => (engine.wallOffsetMs += random.between(-7_200_000, 7_200_000))),
    );
    often(20_000, () => this.#jumpClock());
    often(15_000, () => this.#changeMood());
    often(15_000, () => this.#trace(`somebody breaks ${this.#world.tamper() ?? 'nothing'}`));
    const { lanes } = this.#tables;
    if (lanes instanceof MemoryKeeper) often(40_000, () => this.#changeLeader(lanes));
  }

  #repeatedly(untilMs: number, meanMs: number, what: () => void): void {
    const again = (): void => {
      const after = -Math.log(1 - this.#random.next()) * meanMs;
      if (this.time.now + after >= untilMs) return;
      this.time.after(
        after,
        () => {
          what();
          again();
        },
        undefined,
      );
    };
    again();
  }

  #pause(engine: EngineProcess, when = 'by SIGSTOP'): void {
    if (!engine.alive || engine.paused) return;
    const forMs = this.#random.chance(0.6)
      ? this.#random.between(6_000, 40_000)
      : this.#random.between(50, 6_000);
    engine.paused = true;
    this.#counts.pauses++;
    this.#trace(`${engine.name} stands still for ${Math.round(forMs)} ms ${when}`);
    this.time.after(forMs, () => this.#resume(engine), undefined);
  }

  #resume(engine: EngineProcess): void {
    if (!engine.alive || !engine.paused) return;
    this.#trace(`${engine.name} goes on`);
    this.time.resume(engine);
  }

  #drain(engine: EngineProcess): void {
    engine.draining = true;
    this.#trace(`${engine.name} is asked to end`);
    const stop = (): void => {
      void engine.manager.stop().then(() => this.#kill(engine, 'of its own'));
    };
    this.time.after(0, stop, engine);
  }

  #jumpClock(): void {
    const jump = this.#random.chance(0.5)
      ? this.#random.between(0, MAX_CLOCK_JUMP_MS)
      : -this.#random.between(0, 20_000);
    // Two jumps within one lease would add up to more than the margin.
    if (jump > 0 && this.time.now - this.#jumpedAt < 15_000) return;
    this.#jumpedAt = this.time.now;
    this.#tables.clockOffsetMs += jump;
    this.#trace(`the database's clock jumps by ${Math.round(jump)} ms`);
  }

  /** Between two leaders there is more time than a worker needs to see that it has lost its lease. */
  #changeLeader(lanes: MemoryKeeper): void {
    if (!lanes.leads) return;
    this.#counts.leaders++;
    this.#trace('the leader is lost');
    lanes.drop();
    const begin = (): void => {
      this.#trace('another leader begins');
      lanes.lead();
      this.#hint(undefined, { lanes: [], fanOuts: true });
    };
    this.time.after(this.#random.between(NO_LEADER_MS, 3 * NO_LEADER_MS), begin, undefined);
  }

  #changeMood(): void {
    const random = this.#random;
    const target = random.pick(this.#users.targets);
    const mood: Mood = { ...WELL };
    const kinds = Object.keys(WELL) as (keyof Mood)[];
    for (let i = 0; i < random.integer(0, 3); i++) mood[random.pick(kinds)] = random.pick([0.1, 0.5, 1]);
    this.#world.moods.set(target, mood);
    this.#trace(`${target} behaves ${JSON.stringify(mood)}`);
  }

  #heal(): void {
    this.#trace('all faults end');
    this.#healed = true;
    this.#network.store = NO_STORE_FAULTS;
    this.#network.wake = NO_WAKE_FAULTS;
    this.#world.moods.clear();
    for (const engine of this.#live()) if (engine.paused) this.#resume(engine);
    this.#wake(this.#users.settle());
  }

  async #converge(): Promise<void> {
    const { time, checker } = this;
    const deadline = time.now + CONVERGES_MS;
    let open: string[] = [];
    do {
      await time.runUntil(time.now + 5_000);
      open = await this.#open();
    } while (open.length > 0 && time.now < deadline && checker.violations.length === 0);
    if (checker.violations.length > 0) return;
    for (const what of open.slice(0, 5)) checker.violate('not-converged', what);
    if (open.length > 0) return;
    this.#trace('everything is as declared');
    const { changes } = this.#world;
    await time.runUntil(time.now + STAYS_MS);
    if (this.#world.changes !== changes)
      checker.violate('not-stable', `${this.#world.changes - changes} changes`);
    for (const what of differences(this.#tables, this.#world.items)) checker.violate('not-stable', what);
  }

  /** What is not yet as it has to be at the end. */
  async #open(): Promise<string[]> {
    const overview = await this.#tables.lanes.overview();
    const done = new Map(overview.lanes.map((lane) => [`${lane.kind}/${lane.name}`, lane.done]));
    const open = differences(this.#tables, this.#world.items);
    for (const kind of ['Instance', 'Target'] as const) {
      for (const object of this.#tables.list(kind)) {
        const engine = object.status.engine;
        const told = engine?.status === 'Succeeded' && engine.observedGeneration === object.generation;
        if (!told || object.deletionTimestamp)
          open.push(
            `${kind} ${object.name} says ${engine?.status ?? 'nothing'}: ${engine?.statusDetails ?? ''}`,
          );
        const isDone = done.get(`${kind}/${object.name}`);
        if (isDone === undefined) open.push(`${kind} ${object.name} has no lane`);
        else if (!isDone) open.push(`an order of ${kind} ${object.name} has not run`);
      }
    }
    for (const lane of overview.lanes) {
      if (!this.#tables.object(lane)) open.push(`a lane of ${lane.kind} ${lane.name} is left`);
    }
    for (const entry of this.#tables.ledger) {
      if (entry.state !== 'applied') open.push(`the ledger has ${entry.component} as ${entry.state}`);
    }
    if (overview.fanOuts > 0) open.push('a fan-out waits');
    return open;
  }
}
