import * as fc from 'fast-check';
import { reason, type ComponentSpec, type Deployment, type Plan } from '@symphony/model';
import { describe, expect, it } from 'vitest';
import { plan, type PlanInput } from '../src/index.js';
import {
  carryOut,
  changed,
  component,
  deploymentOf,
  on,
  only,
  emptyWorld,
  planInput,
  ROLES,
  target,
  told,
  unreadable,
  type World,
} from './support.js';

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f'];
const TARGETS = ['T1', 'T2', 'T3'];
const DELETED = { deletionTimestamp: 'now' };

interface Declared {
  component: ComponentSpec;
  on: string[];
}

/** Components whose dependencies go backwards in a random order of the names, on random targets. */
const solution: fc.Arbitrary<Declared[]> = fc.shuffledSubarray(NAMES, { minLength: 1 }).chain((names) =>
  fc.tuple(
    ...names.map((name, index) =>
      fc
        .record({
          type: fc.constantFrom(...ROLES.slice(0, 3)),
          dependencies: fc.subarray(names.slice(0, index)),
          on: fc.subarray(TARGETS),
          v: fc.nat(1),
        })
        .map(({ type, dependencies, on, v }) => ({
          component: changed(only(name, type, dependencies), { properties: { v } }),
          on,
        })),
    ),
  ),
);

interface Generation {
  deployment: Deployment;
  /** Uids. */
  deleting: string[];
  /** Components that somebody removed behind our back. */
  lost: string[];
}

const generation: fc.Arbitrary<Generation> = fc
  .record({
    declared: solution,
    present: fc.subarray(TARGETS),
    deleting: fc.subarray(TARGETS),
    scope: fc.constantFrom('', 'other'),
    removal: fc.nat(9).map((dice) => dice === 0),
    lost: fc.subarray(NAMES),
  })
  .map(({ declared, present, deleting, scope, removal, lost }) => {
    const targets = present.map((name) => {
      const here = declared.filter((item) => item.on.includes(name)).map((item) => item.component.name);
      return target(name, { properties: on(...here) }, deleting.includes(name) ? DELETED : {});
    });
    const components = declared.map((item) => item.component);
    return {
      deployment: deploymentOf(components, targets, { scope }, removal ? DELETED : {}),
      deleting: deleting.map((name) => `uid-${name}`),
      lost,
    };
  });

function withoutLost(world: World, lost: readonly string[]): World {
  return { ...world, real: new Map([...world.real].filter(([, item]) => !lost.includes(item.name))) };
}

function inputOf({ deployment, deleting }: Generation, world: World): PlanInput {
  return planInput(deployment, world, { deletingTargets: new Set(deleting) });
}

/** Every generation after the other; what each plan is checked for goes first. */
function history(
  generations: readonly Generation[],
  check: (input: PlanInput, made: Plan, world: World) => void,
): void {
  let world = emptyWorld();
  for (const item of generations) {
    world = withoutLost(world, item.lost);
    const input = inputOf(item, world);
    const made = plan(input);
    check(input, made, world);
    world = carryOut(input, made, world);
  }
}

const generations = fc.array(generation, { minLength: 1, maxLength: 4 });

describe('whatever was declared, one generation after the other, a plan', () => {
  it('can be carried out in the order of its steps: nothing waits in a circle', () => {
    // carryOut throws when an action or step runs before what it waits for.
    fc.assert(fc.property(generations, (all) => history(all, () => undefined)));
  });

  it('leaves nothing to do once it is carried out', () => {
    fc.assert(
      fc.property(generations, (all) => {
        history(all, (input, made, world) => {
          const after = carryOut(input, made, world);
          const { steps } = plan(
            planInput(input.deployment, after, { deletingTargets: input.deletingTargets }),
          );
          expect(told({ steps, kept: [] })).toEqual([]);
        });
      }),
    );
  });

  it('names each thing exactly once', () => {
    fc.assert(
      fc.property(generations, (all) => {
        history(all, (input, made) => {
          const actions = [...made.steps.flatMap((step) => step.actions), ...made.kept];
          expect(new Set(actions.map((action) => action.id)).size).toBe(actions.length);
          const places = new Set([
            ...input.deployment.assignments.map((item) => `${item.component}@${item.target}`),
            ...input.ledger.map((entry) => `${entry.component}@${entry.targetName}`),
          ]);
          expect(new Set(actions.map((action) => `${action.component}@${action.target}`))).toEqual(places);
        });
      }),
    );
  });

  it('removes nothing that is still wanted there, unless it is put there again', () => {
    fc.assert(
      fc.property(generations, (all) => {
        history(all, (input, made) => {
          const actions = made.steps.flatMap((step) => step.actions);
          for (const gone of actions.filter((action) => action.kind === 'delete')) {
            const wanted = input.deployment.assignments.some(
              (item) => item.component === gone.component && item.target === gone.target,
            );
            if (!wanted) continue;
            const back = actions.find(
              (action) =>
                action.kind !== 'delete' &&
                action.component === gone.component &&
                action.target === gone.target,
            );
            expect([...(back?.requires ?? []), ...(back?.follows ?? [])]).toContain(gone.id);
          }
        });
      }),
    );
  });

  it('applies nothing on a target that cannot be read, and calls none that is unavailable', () => {
    fc.assert(
      fc.property(generations, fc.constantFrom(...TARGETS), (all, name) => {
        const uid = `uid-${name}`;
        history(all, (input) => {
          const applies = plan(unreadable(input, uid)).steps.filter((step) => step.phase === 'apply');
          expect(applies.filter((step) => step.targetUid === uid)).toEqual([]);
          const unavailable = new Map([[uid, reason('TargetUnavailable')]]);
          const made = plan({ ...input, unavailable });
          expect(made.steps.filter((step) => step.targetUid === uid)).toEqual([]);
          carryOut(input, made, { ledger: [...input.ledger], real: new Map() });
        });
      }),
    );
  });

  it('is the same for the same input', () => {
    fc.assert(
      fc.property(generations, (all) => {
        history(all, (input, made) => {
          expect(plan(structuredCloneOf(input))).toEqual(made);
        });
      }),
    );
  });
});

/** Functions cannot be cloned; everything else is. */
function structuredCloneOf(input: PlanInput): PlanInput {
  const { differs, ...data } = input;
  return { ...structuredClone(data), differs };
}

it('ledgers with circular dependencies of all kinds are emptied', () => {
  const edges = fc.array(fc.tuple(fc.constantFrom(...NAMES), fc.constantFrom(...NAMES)), { maxLength: 20 });
  const everywhere = deploymentOf(
    NAMES.map((name) => component(name)),
    TARGETS.map((name) => target(name)),
  );
  const input = planInput(everywhere, emptyWorld());
  const { ledger, real } = carryOut(input, plan(input), emptyWorld());
  fc.assert(
    fc.property(edges, fc.subarray(ledger), (pairs, subset) => {
      const circular = subset.map((entry) => ({
        ...entry,
        applied: changed(entry.applied, {
          dependencies: pairs.filter(([from]) => from === entry.component).map(([, to]) => to),
        }),
      }));
      const removal = planInput({ ...everywhere, removal: true }, { ledger: circular, real });
      expect(carryOut(removal, plan(removal), { ledger: circular, real }).ledger).toEqual([]);
    }),
  );
});

it('a thousand components on a hundred targets are planned in seconds', () => {
  const components = Array.from({ length: 1000 }, (_, index) =>
    component(`c${index}`, ROLES[index % 3] ?? '', index > 2 ? [`c${index - 1}`, `c${index - 3}`] : []),
  );
  const targets = Array.from({ length: 100 }, (_, index) => target(`T${index}`));
  const input = planInput(deploymentOf(components, targets), emptyWorld());
  const started = performance.now();
  expect(plan(input).steps).toHaveLength(100_000);
  expect(performance.now() - started).toBeLessThan(20_000);
});
