import { NotFoundError, type ComponentSpec, type SpecByKind } from '@symphony/model';
import type { Database } from '../../src/modes/standalone/database/database.js';
import { mockControl } from '../../src/modules/providers/index.js';
import { effectsOfWrite, type ObjectStore } from '../../src/modules/state/index.js';
import { CrashEngine } from './crash-engine.js';
import { Fuse } from './fuse.js';

type Kind = 'Target' | 'Solution' | 'Instance';

/** What is there after a step: told so that two executions can be compared. */
type State = Record<string, unknown>;

export interface CrashResult {
  /** Names of the points that the first engine passed. */
  points: string[];
  /** Where it was cut off; undefined when it never came that far. */
  where: string | undefined;
  /** After each step. */
  states: Record<string, State>;
  /** Calls of `apply` that arrived at the targets. */
  applies: number;
}

const NAMESPACE = 'default';
const TARGETS = ['near', 'far'];
const ROLES = ['instance', 'script'];
const DEADLINE_MS = 20_000;
const SETTLED = `SELECT
  (SELECT count(*) FROM lanes WHERE worker IS NOT NULL OR order_seq > done_seq OR due_at IS NOT NULL)
  + (SELECT count(*) FROM fan_outs) AS open`;

type Step = (objects: ObjectStore) => Promise<unknown>;

/** Deploy, update, move, change of type, remove: the life of one instance, and of a target's own component. */
const STEPS: Record<string, Step[]> = {
  deploy: [
    ...TARGETS.map((name) => put('Target', name, target(name))),
    put('Solution', 'app', { components: [component('db', 1), component('web', 1, ['db'])] }),
    put('Instance', 'shop', { solution: 'app', target: { name: 'near' } }),
  ],
  update: [
    put('Solution', 'app', {
      components: [component('db', 2), component('web', 1, ['db']), component('cache', 1)],
    }),
  ],
  move: [put('Instance', 'shop', { solution: 'app', target: { name: 'far' } })],
  'type change': [
    put('Solution', 'app', {
      components: [component('db', 2), component('web', 1, ['db'], 'script')],
    }),
  ],
  remove: [remove('Instance', 'shop'), remove('Target', 'far'), remove('Solution', 'app')],
};

/**
 * Plays the scenario and cuts the engine off at one point; another engine then takes over, its predecessor's lease being
 * over, and goes on to the end.
 * @param at number of the point; undefined: none
 */
export async function playWithCrash(database: Database, at: number | undefined): Promise<CrashResult> {
  await database.query(
    'TRUNCATE objects, lanes, lane_payloads, workers, fan_outs, ledger, target_health CASCADE',
  );
  for (const id of places()) mockControl(id).reset();
  const fuse = new Fuse(at);
  let engine = new CrashEngine(database, fuse);
  const states: Record<string, State> = {};
  const orSuccessor = async <T>(work: (current: CrashEngine) => Promise<T>): Promise<T> => {
    const result = await Promise.race([work(engine), engine.fuse.blown]);
    if (!engine.fuse.isBlown) return result as T;
    await database.query(`UPDATE workers SET lease_until = now() - interval '1 hour'`);
    engine = new CrashEngine(database, new Fuse(undefined));
    return work(engine);
  };
  try {
    for (const [name, writes] of Object.entries(STEPS)) {
      // A client that got no answer asks again.
      for (const write of writes) await orSuccessor(({ objects }) => write(objects));
      await orSuccessor(() =>
        settled(database, `${name}, cut off at ${String(at)} (${fuse.where ?? 'not yet'})`),
      );
      states[name] = await stateOf(database);
    }
  } finally {
    await engine.stop();
    fuse.end();
  }
  const applies = places().reduce(
    (sum, id) => sum + mockControl(id).calls.filter((call) => call.operation === 'apply').length,
    0,
  );
  const where = at !== undefined && fuse.passed.length >= at ? fuse.passed[at - 1] : undefined;
  return { points: fuse.passed, where, states, applies };
}

async function settled(database: Database, what: string): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const [row] = await database.query<{ open: string }>(SETTLED);
    if (row?.open === '0') return;
    if (performance.now() > deadline) {
      const lanes = await database.query('SELECT kind, name, reason, message, worker, due_at FROM lanes');
      throw new Error(`${what}: not settled: ${JSON.stringify(lanes)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Objects with their status, the ledger, and what is on the targets; nothing that differs from one execution to the next. */
async function stateOf(database: Database): Promise<State> {
  const objects = await database.query(`
    SELECT o.kind, o.name, o.generation, o.deletion_timestamp IS NOT NULL AS deleting, s.engine->>'status' AS status,
           s.engine->>'reason' AS reason, s.engine->'observedGeneration' AS observed
    FROM objects o LEFT JOIN object_status s ON s.uid = o.uid ORDER BY o.kind, o.name`);
  const ledger = await database.query(`
    SELECT owner_kind, owner_name, target_name, component, role, state, generation, applied
    FROM ledger ORDER BY owner_name, target_name, component, role`);
  const world = places().map((id) => [
    id,
    mockControl(id).contents.toSorted((a, b) => (a.name < b.name ? -1 : 1)),
  ]);
  return { objects, ledger, world };
}

function places(): string[] {
  return TARGETS.flatMap((name) => ROLES.map((role) => `crash-points-${name}-${role}`));
}

function target(name: string): SpecByKind['Target'] {
  const bindings = ROLES.map((role) => ({
    role,
    provider: 'providers.target.mock',
    config: { id: `crash-points-${name}-${role}` },
  }));
  return { topologies: [{ bindings }], components: [component(`agent-${name}`, 1)] };
}

function component(name: string, rev: number, dependencies: string[] = [], type = 'instance'): ComponentSpec {
  return { name, type, properties: { rev }, dependencies };
}

function put<K extends Kind>(kind: K, name: string, spec: SpecByKind[K]): Step {
  const write = { kind, namespace: NAMESPACE, name, spec, labels: {}, annotations: {}, precondition: {} };
  return (objects) => objects.put(write, effectsOfWrite);
}

function remove(kind: Kind, name: string): Step {
  return async (objects) => {
    try {
      await objects.requestDeletion({ kind, namespace: NAMESPACE, name }, {}, effectsOfWrite);
    } catch (error) {
      // It is gone already when the answer to the first request was lost.
      if (!(error instanceof NotFoundError)) throw error;
    }
  };
}
