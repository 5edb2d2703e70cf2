import type { ObjectKind, StoredObject } from '@symphony/model';
import { postedDeploymentExists } from '../../../../modules/queue/index.js';
import {
  decideWrite,
  type EffectsOf,
  type ObjectKey,
  type ObjectWrite,
  referencesOf,
  type WriteEffects,
  type WriteResult,
  type WrittenHalf,
} from '../../../../modules/state/index.js';
import type { Sql } from '../../database/database.js';
import { insertFanOuts, orderLanes } from '../jobs/orders.js';
import { type ObjectRow, toObject } from './object-row.js';
import * as sql from './statements.js';

/** A write, with what can be known of it before the stored object is. */
export interface Put {
  write: ObjectWrite;
  effects: EffectsOf;
  /** What it makes where nothing is stored; undefined where it is refused then. */
  fresh: WrittenHalf | undefined;
  /** The spec as JSON. */
  spec: string;
}

/** A write that was done, with what is to be told once it is committed; or why it was refused, and nothing written. */
export type PutOutcome = { result: WriteResult; effects: WriteEffects } | { refused: unknown };

export function putOf<K extends ObjectKind>(write: ObjectWrite<K>, effects: EffectsOf): Put {
  // A batch holds writes of several kinds; each only ever meets the stored object of its own key, and so of its own kind.
  const anyKind = write as unknown as ObjectWrite;
  const fresh = attempt(() => decideWrite(undefined, anyKind));
  return {
    write: anyKind,
    effects,
    fresh: 'refused' in fresh ? undefined : fresh.value,
    spec: JSON.stringify(write.spec),
  };
}

/**
 * Writes objects and orders what follows, in the caller's transaction.
 * @param puts of different objects; one, when `waiting`
 * @param waiting for whoever has locked an object at this moment, instead of leaving it out
 * @returns undefined for one that was left out, or that somebody else has just created
 * @throws what the effects of a write throw; nothing must be committed then
 */
export async function putAll(
  tx: Sql,
  puts: readonly Put[],
  waiting: boolean,
): Promise<(PutOutcome | undefined)[]> {
  const rows = await tx.query<LockedRow>(waiting ? sql.LOCK_OR_INSERT : sql.LOCK_OR_INSERT_FREE, [
    jsonOf(puts, freshColumns),
  ]);
  const found = new Map(rows.map((row) => [textOf(row), row]));
  const taken = await unmakeTaken(tx, rows);
  const decisions = puts.map((put) => {
    const row = found.get(textOf(put.write));
    if (row && taken.has(row.uid)) return { kind: 'refused' as const, error: postedDeploymentExists(row) };
    return decide(put, row, waiting);
  });
  const versions = await updateChanged(tx, decisions);
  const outcomes = decisions.map((decision) => outcomeOf(decision, versions));
  const effects = outcomes.flatMap((outcome) => (outcome && 'effects' in outcome ? [outcome.effects] : []));
  await orderLanes(
    tx,
    effects.flatMap(({ orders }) => orders),
  );
  await insertFanOuts(
    tx,
    effects.flatMap(({ fanOuts }) => fanOuts),
  );
  return outcomes;
}

interface LockedRow extends ObjectRow {
  /** It was not there before. */
  made: boolean;
}

type Decision =
  | { kind: 'made'; put: Put; object: StoredObject }
  | { kind: 'replace'; put: Put; before: StoredObject; half: WrittenHalf }
  | { kind: 'refused'; error: unknown };

function decide(put: Put, row: LockedRow | undefined, waiting: boolean): Decision | undefined {
  if (row?.made) return { kind: 'made', put, object: toObject(row) };
  // Without waiting, an object that is not found may be one that is locked.
  if (!row && (put.fresh || !waiting)) return undefined;
  const before = row && toObject(row);
  const half = attempt(() => decideWrite(before, put.write));
  if ('refused' in half) return { kind: 'refused', error: half.refused };
  return before && { kind: 'replace', put, before, half: half.value };
}

/** An instance would take the lane of what was posted under its name, which nobody could remove any more. @returns their uids */
async function unmakeTaken(tx: Sql, rows: readonly LockedRow[]): Promise<ReadonlySet<string>> {
  const made = rows.filter((row) => row.made && row.kind === 'Instance');
  if (made.length === 0) return new Set();
  const keys = made.map(({ uid, namespace, name }) => ({ uid, namespace, name }));
  const taken = await tx.query<{ uid: string }>(sql.TAKEN_BY_POSTED, [JSON.stringify(keys)]);
  for (const { uid } of taken) await tx.query(sql.REMOVE, [uid]);
  return new Set(taken.map(({ uid }) => uid));
}

/** Stores what replaces something else. @returns the new versions by uid */
async function updateChanged(
  tx: Sql,
  decisions: readonly (Decision | undefined)[],
): Promise<ReadonlyMap<string, string>> {
  const changed = decisions.flatMap((decision) =>
    decision?.kind === 'replace' && decision.half.changed ? [decision] : [],
  );
  if (changed.length === 0) return new Map();
  const rows = await tx.query<{ uid: string; version: string }>(sql.REPLACE, [
    jsonOf(
      changed.map(({ put, before, half }) => ({ ...put, before, half })),
      ({ write, before, half }) => ({
        ...halfColumns(write, half),
        uid: before.uid,
        generation: generationOf(before, half),
      }),
    ),
  ]);
  return new Map(rows.map(({ uid, version }) => [uid, version]));
}

function outcomeOf(
  decision: Decision | undefined,
  versions: ReadonlyMap<string, string>,
): PutOutcome | undefined {
  if (!decision) return undefined;
  if (decision.kind === 'refused') return { refused: decision.error };
  const { put } = decision;
  if (decision.kind === 'made') {
    const { object } = decision;
    return { result: { object, created: true, changed: true }, effects: put.effects(undefined, object) };
  }
  const { before, half } = decision;
  const { spec, labels, annotations, changed } = half;
  const version = versions.get(before.uid) ?? before.version;
  const object = changed
    ? { ...before, spec, labels, annotations, generation: generationOf(before, half), version }
    : before;
  return { result: { object, created: false, changed }, effects: put.effects(before, object) };
}

function generationOf(before: StoredObject, { specChanged }: WrittenHalf): number {
  return before.generation + (specChanged ? 1 : 0);
}

function freshColumns({ write, fresh }: Put): object {
  const { kind, namespace, name } = write;
  return fresh ? { ...halfColumns(write, fresh), fresh: true } : { kind, namespace, name, fresh: false };
}

/** All but the spec, which is JSON already. */
function halfColumns({ kind, namespace, name }: ObjectKey, half: WrittenHalf): object {
  const { labels, annotations } = half;
  return { kind, namespace, name, labels, annotations, ...referencesOf(kind, half.spec) };
}

function jsonOf<T extends Put>(puts: readonly T[], columns: (put: T) => object): string {
  const rows = puts.map((put) => `${JSON.stringify(columns(put)).slice(0, -1)},"spec":${put.spec}}`);
  return `[${rows.join(',')}]`;
}

export function textOf({
  kind,
  namespace,
  name,
}: Pick<ObjectKey, 'namespace' | 'name'> & { kind: string }): string {
  return JSON.stringify([kind, namespace, name]);
}

function attempt<T>(work: () => T): { value: T } | { refused: unknown } {
  try {
    return { value: work() };
  } catch (error) {
    return { refused: error };
  }
}
