import { StateCode, type ComponentResultSpec } from '@symphony/model';
import {
  ProviderError,
  type ApplyCall,
  type ApplyResults,
  type GetCall,
  type ObservedComponent,
  type ProviderCall,
  type ProviderDefinition,
  type TargetProvider,
} from '@symphony/provider-kit';
import { currentLogContext } from '../../src/modules/logging/index.js';
import type { Checker, RunOf } from './checker.js';
import { LANDING_MS, type Change, type Mood, type World } from './world.js';
import type { Owner } from './virtual-time.js';

export const PROVIDER_TYPE = 'providers.target.simulated';

/** The provider of one engine process: each component is a request of its own to the world. */
export function simulatedProvider(world: World, checker: Checker, owner: Owner): ProviderDefinition {
  return {
    type: PROVIDER_TYPE,
    concurrency: 1,
    create: (config) => new SimulatedProvider(world, checker, owner, config.place ?? ''),
  };
}

class SimulatedProvider implements TargetProvider {
  readonly rule = { componentValidationRule: { changeDetection: [{ name: 'rev' }] } };

  constructor(
    private readonly world: World,
    private readonly checker: Checker,
    private readonly owner: Owner,
    private readonly place: string,
  ) {}

  async get(call: GetCall): Promise<ObservedComponent[]> {
    const { world } = this;
    const mood = world.moodOf(call.target.name);
    const forgets = world.random.chance(mood.forgets);
    return this.#request(call, mood, () => {
      if (world.random.chance(mood.fails)) throw failed();
      return call.references.flatMap(({ component }) => {
        const found = world.find(call.target.uid, this.place, call.owner.uid, component.name);
        return found && !forgets ? [structuredClone(found)] : [];
      });
    });
  }

  async apply(call: ApplyCall): Promise<ApplyResults> {
    const run = runOf();
    this.checker.called(run, call.owner, call.signal.aborted);
    const { world } = this;
    const mood = world.moodOf(call.target.name);
    if (world.random.chance(mood.fails)) return this.#request(call, mood, refuse);
    const results: ApplyResults = {};
    for (const step of call.steps) {
      call.signal.throwIfAborted();
      results[step.component.name] = await this.#request(call, mood, () =>
        this.#change(run, call, mood, {
          action: step.action,
          targetUid: call.target.uid,
          place: this.place,
          ownerUid: call.owner.uid,
          component: step.component,
        }),
      );
    }
    return results;
  }

  #change(run: RunOf, call: ApplyCall, mood: Mood, change: Change): ComponentResultSpec {
    const { world } = this;
    if (world.random.chance(mood.failsPartly)) return { status: StateCode.UpdateFailed, message: 'not now' };
    const done = { status: change.action === 'delete' ? StateCode.Deleted : StateCode.Updated, message: '' };
    if (change.action === 'update' && world.random.chance(mood.lies)) return done;
    this.checker.landing(run, change, call.owner, Number(call.deployment.generation));
    world.land(change);
    this.checker.landed(change);
    if (world.random.chance(mood.lostReply)) throw failed();
    return done;
  }

  /** A request to the target: it arrives or not, and is answered or not. Aborted, it is taken back or done at once. */
  #request<T>(call: ProviderCall, mood: Mood, arrive: () => T): Promise<T> {
    const { random, time } = this.world;
    const { owner } = this;
    return new Promise<T>((resolve, reject) => {
      if (!owner.alive) return;
      const slow = random.chance(mood.slow);
      const hangs = random.chance(mood.hangs);
      const stubborn = random.chance(mood.stubborn);
      let over = false;
      let arrived = false;
      let answer: (() => void) | undefined;
      const there = (): void => {
        arrived = true;
        try {
          const result = arrive();
          answer = () => resolve(result);
        } catch (error) {
          answer = () => reject(error);
        }
      };
      // A request on its way does not die with its sender.
      const arrival = time.after(
        random.delay(1, slow ? LANDING_MS : 60),
        () => {
          arrived = true;
          if (hangs && random.chance(0.5)) return;
          there();
          this.world.disturb(owner, 'when its request arrives');
          if (hangs) return;
          time.after(slow ? random.between(500, 8_000) : random.delay(1, 60), () => end(answer), owner);
        },
        undefined,
      );
      const end = (finish: (() => void) | undefined): void => {
        if (over || !finish) return;
        over = true;
        call.signal.removeEventListener('abort', aborted);
        finish();
      };
      const aborted = (): void => {
        const giveUp = (): void => end(() => reject(call.signal.reason as Error));
        if (stubborn) {
          time.after(random.between(LANDING_MS, 60_000), giveUp, owner);
          return;
        }
        arrival.cancelled = true;
        if (!arrived && random.chance(0.5)) there();
        time.after(random.delay(1, 100), giveUp, owner);
      };
      if (call.signal.aborted) aborted();
      else call.signal.addEventListener('abort', aborted);
    });
  }
}

function refuse(): never {
  throw failed();
}

function failed(): ProviderError {
  return new ProviderError('ProviderFailed', 'The target says no.');
}

/** The run that calls, as the engine's log context names it. */
function runOf(): RunOf {
  const { lane, epoch } = currentLogContext();
  return { laneId: String(lane), epoch: Number(epoch) };
}
