import { ConflictError, type DeployableKind, type ObjectKind, type StoredObject } from '@symphony/model';
import type { JobWaker } from '../../../../modules/queue/index.js';
import {
  checkPrecondition,
  type ComponentReport,
  decideWrite,
  decodeToken,
  type EffectsOf,
  encodeToken,
  type ListQuery,
  notFound,
  referencesOf,
  type ObjectKey,
  type ObjectPage,
  ObjectStore,
  type ObjectWrite,
  type OrphanResult,
  type Precondition,
  tooManyProperties,
  MAX_REPORTED_PROPERTIES,
  type WriteEffects,
  type WriteResult,
  type WrittenHalf,
} from '../../../../modules/state/index.js';
import type { Database, Sql } from '../../database/database.js';
import { insertFanOuts, orderLanes, removeLane } from '../jobs/orders.js';
import { reportComponent } from './component-report.js';
import { listStatement } from './list-query.js';
import { type ObjectRow, toObject } from './object-row.js';
import * as sql from './statements.js';

/** An object that is created and removed again under our hands this often is fought over. */
const MAX_CREATE_TRIES = 5;
const DEPLOYABLE: ReadonlySet<ObjectKind> = new Set(['Target', 'Instance']);

/**
 * Objects in PostgreSQL. A write is one transaction: it locks the object's row, decides, writes, and orders what
 * follows from it; an object's row is always locked before its lane's.
 */
export class PostgresObjectStore extends ObjectStore {
  /** @param waker told after each commit that ordered something */
  constructor(
    private readonly database: Database,
    private readonly waker: Pick<JobWaker, 'wake'>,
  ) {
    super();
  }

  override async get<K extends ObjectKind>(key: ObjectKey<K>): Promise<StoredObject<K> | undefined> {
    return read(this.database, sql.GET, key);
  }

  override async list<K extends ObjectKind>(query: ListQuery & { kind: K }): Promise<ObjectPage<K>> {
    const { text, values } = listStatement(query, decodeToken(query));
    const rows = await this.database.query<ObjectRow>(text, values);
    const page = query.limit === undefined ? rows : rows.slice(0, query.limit);
    const items = page.map((row) => toObject<K>(row));
    const last = items.at(-1);
    return page.length < rows.length && last ? { items, next: encodeToken(query, last) } : { items };
  }

  override async put<K extends ObjectKind>(
    write: ObjectWrite<K>,
    effects: EffectsOf,
  ): Promise<WriteResult<K>> {
    return this.#writing(effects, async (tx) => {
      for (let attempt = 1; attempt <= MAX_CREATE_TRIES; attempt++) {
        const before = await read(tx, sql.LOCK, write);
        const half = decideWrite(before, write);
        if (before) {
          const object = half.changed ? await update(tx, before, half) : before;
          return { before, after: object, result: { object, created: false, changed: half.changed } };
        }
        const object = await insert(tx, write, half);
        if (object) return { after: object, result: { object, created: true, changed: true } };
      }
      throw new ConflictError('The object is created and removed at the same time by others; try again.');
    });
  }

  override async requestDeletion<K extends ObjectKind>(
    key: ObjectKey<K>,
    precondition: Precondition,
    effects: EffectsOf,
  ): Promise<WriteResult<K>> {
    return this.#writing(effects, async (tx) => {
      const before = await lockExisting(tx, key, precondition);
      if (!DEPLOYABLE.has(key.kind)) {
        await tx.query(sql.REMOVE, [before.uid]);
        return { before, result: { object: before, created: false, changed: true } };
      }
      const changed = before.deletionTimestamp === undefined;
      const object = changed ? await markDeleted(tx, before) : before;
      return { before, after: object, result: { object, created: false, changed } };
    });
  }

  override async orphan(key: ObjectKey<DeployableKind>, precondition: Precondition): Promise<OrphanResult> {
    return this.database.transaction(async (tx) => {
      const object = await lockExisting(tx, key, precondition);
      // The lane first: from then on a run under way can write nothing more to the ledger.
      await removeLane(tx, key);
      const released = await tx.query<{ component: string; target: string; provider: string }>(
        sql.RELEASE_LEDGER,
        [object.uid],
      );
      await tx.query(sql.REMOVE, [object.uid]);
      const left = released.map(
        ({ component, target, provider }) => `${component} on ${target} (${provider})`,
      );
      return { object, left: left.toSorted() };
    });
  }

  override async report(
    key: ObjectKey<'Target'>,
    properties: Record<string, string>,
    component?: ComponentReport,
  ): Promise<StoredObject<'Target'>> {
    const { target, orders } = await this.database.transaction(async (tx) => {
      const orders = component ? await reportComponent(tx, key, component) : [];
      const rows = await tx.query<ObjectRow>(sql.REPORT, [...keyValues(key), JSON.stringify(properties)]);
      const [row] = rows;
      if (!row) throw notFound(key);
      if (Object.keys(row.reported ?? {}).length > MAX_REPORTED_PROPERTIES) throw tooManyProperties();
      return { target: toObject<'Target'>(row), orders };
    });
    this.#wake({ orders, fanOuts: [] });
    return target;
  }

  /** Runs a write with what it orders in one transaction, and tells the workers once it is committed. */
  async #writing<K extends ObjectKind>(
    effectsOf: EffectsOf,
    work: (tx: Sql) => Promise<Written<K>>,
  ): Promise<WriteResult<K>> {
    const { result, effects } = await this.database.transaction(async (tx) => {
      const { before, after, result } = await work(tx);
      const effects = effectsOf(before, after);
      await orderLanes(tx, effects.orders);
      await insertFanOuts(tx, effects.fanOuts);
      return { result, effects };
    });
    this.#wake(effects);
    return result;
  }

  #wake({ orders, fanOuts }: WriteEffects): void {
    if (orders.length === 0 && fanOuts.length === 0) return;
    this.waker.wake({ lanes: orders, fanOuts: fanOuts.length > 0 });
  }
}

interface Written<K extends ObjectKind> {
  before?: StoredObject<K>;
  after?: StoredObject<K>;
  result: WriteResult<K>;
}

function keyValues({ kind, namespace, name }: ObjectKey): string[] {
  return [kind, namespace, name];
}

async function read<K extends ObjectKind>(
  on: Sql,
  statement: typeof sql.GET,
  key: ObjectKey<K>,
): Promise<StoredObject<K> | undefined> {
  const [row] = await on.query<ObjectRow>(statement, keyValues(key));
  return row && toObject<K>(row);
}

async function lockExisting<K extends ObjectKind>(
  tx: Sql,
  key: ObjectKey<K>,
  precondition: Precondition,
): Promise<StoredObject<K>> {
  const stored = await read(tx, sql.LOCK, key);
  checkPrecondition(key, stored, precondition);
  if (!stored) throw notFound(key);
  return stored;
}

async function insert<K extends ObjectKind>(
  tx: Sql,
  key: ObjectKey<K>,
  half: WrittenHalf<K>,
): Promise<StoredObject<K> | undefined> {
  const [row] = await tx.query<ObjectRow>(sql.INSERT, [...keyValues(key), ...halfValues(key.kind, half)]);
  return row && toObject<K>(row);
}

async function update<K extends ObjectKind>(
  tx: Sql,
  stored: StoredObject<K>,
  half: WrittenHalf<K>,
): Promise<StoredObject<K>> {
  const [row] = await tx.query<{ generation: string; version: string }>(sql.UPDATE, [
    stored.uid,
    half.specChanged,
    ...halfValues(stored.kind, half),
  ]);
  if (!row) throw notFound(stored);
  const { spec, labels, annotations } = half;
  return {
    ...stored,
    spec,
    labels,
    annotations,
    generation: Number(row.generation),
    version: row.version,
  };
}

async function markDeleted<K extends ObjectKind>(tx: Sql, stored: StoredObject<K>): Promise<StoredObject<K>> {
  const [row] = await tx.query<{ generation: string; version: string; deletion_timestamp: Date }>(
    sql.MARK_DELETED,
    [stored.uid],
  );
  if (!row) throw notFound(stored);
  return {
    ...stored,
    generation: Number(row.generation),
    version: row.version,
    deletionTimestamp: row.deletion_timestamp.toISOString(),
  };
}

function halfValues(kind: ObjectKind, half: WrittenHalf): unknown[] {
  const references = referencesOf(kind, half.spec);
  return [
    JSON.stringify(half.labels),
    JSON.stringify(half.annotations),
    JSON.stringify(half.spec),
    references.solution,
    references.target,
    references.dynamic,
  ];
}
