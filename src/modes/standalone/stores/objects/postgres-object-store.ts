import { ConflictError, type DeployableKind, type ObjectKind, type StoredObject } from '@symphony/model';
import type { JobWaker } from '../../../../modules/queue/index.js';
import {
  checkPrecondition,
  type ComponentReport,
  decodeToken,
  type EffectsOf,
  encodeToken,
  type ListQuery,
  notFound,
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
} from '../../../../modules/state/index.js';
import type { Database, Sql } from '../../database/database.js';
import { GatherOrAlone } from '../jobs/gather.js';
import { insertFanOuts, orderLanes } from '../jobs/orders.js';
import { reportComponent } from './component-report.js';
import { giveUp } from './give-up.js';
import { listStatement } from './list-query.js';
import { type ObjectRow, toObject } from './object-row.js';
import { type Put, putAll, putOf, type PutOutcome, textOf } from './puts.js';
import * as sql from './statements.js';

/** An object that is created and removed again under our hands this often is fought over. */
const MAX_CREATE_TRIES = 5;
/** In characters of JSON. A batch of large ones would need as many times the memory. */
const LARGE_SPEC = 64 * 1024;
const DEPLOYABLE: ReadonlySet<ObjectKind> = new Set(['Target', 'Instance']);

/**
 * Objects in PostgreSQL. A write is one transaction: it locks the object's row, decides, writes, and orders what
 * follows from it; an object's row is always locked before its lane's. Writes of the same moment share a transaction.
 */
export class PostgresObjectStore extends ObjectStore {
  readonly #puts = new GatherOrAlone<Put, PutOutcome>({
    together: (puts) => this.#putTogether(puts),
    alone: (put) => this.#putAlone(put),
  });

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
    const put = putOf(write, effects);
    const outcome = await (put.spec.length > LARGE_SPEC ? this.#putAlone(put) : this.#puts.add(put));
    if ('refused' in outcome) throw outcome.refused;
    return outcome.result as WriteResult<K>;
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
    const { effects, ...result } = await this.database.transaction(async (tx) => {
      const object = await lockExisting(tx, key, precondition);
      return { object, ...(await giveUp(tx, object)) };
    });
    this.#wake(effects);
    return result;
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

  /** Writes of different objects in one transaction; what is locked, or there twice, is left to be written alone. */
  async #putTogether(puts: readonly Put[]): Promise<(PutOutcome | undefined)[]> {
    const first = new Map(puts.toReversed().map((put) => [textOf(put.write), put]));
    const batch = [...first.values()];
    const outcomes = await this.database.transaction((tx) => putAll(tx, batch, false));
    this.#tell(outcomes);
    const byPut = new Map(batch.map((put, i) => [put, outcomes[i]]));
    return puts.map((put) => byPut.get(put));
  }

  async #putAlone(put: Put): Promise<PutOutcome> {
    const outcome = await this.database.transaction(async (tx) => {
      for (let attempt = 1; attempt <= MAX_CREATE_TRIES; attempt++) {
        const [outcome] = await putAll(tx, [put], true);
        if (outcome) return outcome;
      }
      throw new ConflictError('The object is created and removed at the same time by others; try again.');
    });
    this.#tell([outcome]);
    return outcome;
  }

  #tell(outcomes: readonly (PutOutcome | undefined)[]): void {
    const effects = outcomes.flatMap((outcome) => (outcome && 'effects' in outcome ? [outcome.effects] : []));
    this.#wake({
      orders: effects.flatMap(({ orders }) => orders),
      fanOuts: effects.flatMap(({ fanOuts }) => fanOuts),
    });
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
