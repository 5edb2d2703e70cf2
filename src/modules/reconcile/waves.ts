import type { Action, Step } from '@symphony/model';

/** Components in one call at most: what a call that is cut short leaves unknown stays bounded. */
const PER_CALL = 100;

/** The actions of a step for a provider that keeps their order within a call. */
export function batchesOf({ actions }: Step): Action[][] {
  return Array.from({ length: Math.ceil(actions.length / PER_CALL) }, (_, index) =>
    actions.slice(index * PER_CALL, (index + 1) * PER_CALL),
  );
}

/** The actions of a step, those that require others of it apart and later; in the order of the step otherwise. */
export function wavesOf(step: Step): Action[][] {
  const waveOf = new Map<string, number>();
  const waves: Action[][] = [];
  for (const action of step.actions) {
    const required = action.requires.map((id) => (waveOf.get(id) ?? -1) + 1);
    const followed = action.follows.map((id) => waveOf.get(id) ?? 0);
    const wave = Math.max(0, ...required, ...followed);
    waveOf.set(action.id, wave);
    (waves[wave] ??= []).push(action);
  }
  return waves;
}
