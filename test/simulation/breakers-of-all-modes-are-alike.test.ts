import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { reason } from '@symphony/model';
import { MemoryTargetHealth } from '../../src/modes/k8s/runs/memory-target-health.js';
import { createDataSource } from '../../src/modes/standalone/database/data-source.js';
import { Database } from '../../src/modes/standalone/database/database.js';
import { migrate } from '../../src/modes/standalone/database/migrate.js';
import { PostgresTargetHealth } from '../../src/modes/standalone/stores/runs/postgres-target-health.js';
import { TargetHealth } from '../../src/modules/solution/index.js';
import { createTestDatabase } from '../support/postgres.js';
import { Random } from './random.js';
import { Tables } from './tables.js';
import { VirtualTime } from './virtual-time.js';

const FIRST_MS = 2_000;
const LONG_MS = 3_600_000;
const TIMEOUT = reason('ProviderTimeout');
const FAILED = reason('ProviderFailed');
const SUSPECTED = reason('TargetBusy');

interface HealthSubject {
  health: TargetHealth;
  /** Until the next probe is due. */
  letTimePass(targetUid: string): Promise<void>;
  close(): Promise<void>;
}

async function inPostgres(): Promise<HealthSubject> {
  const test = await createTestDatabase('breakers_alike');
  const source = createDataSource({ url: test.url, poolSize: 2, applicationName: 'breakers-alike' });
  await source.initialize();
  await migrate(source);
  const database = new Database(source);
  return {
    health: new PostgresTargetHealth(database, undefined, { firstMs: FIRST_MS }),
    letTimePass: async (uid) => {
      await database.query('UPDATE target_health SET open_until = now() WHERE target_uid = $1', [uid]);
    },
    close: async () => {
      await source.destroy();
      await test.drop();
    },
  };
}

function inMemory(): Promise<HealthSubject> {
  let now = 0;
  const health = new MemoryTargetHealth(
    () => undefined,
    { firstMs: FIRST_MS },
    () => now,
  );
  return Promise.resolve({
    health,
    letTimePass: () => Promise.resolve(void (now += LONG_MS)),
    close: () => Promise.resolve(),
  });
}

/** What the simulation runs the engine on. Calls that are only cut short are none of its subjects. */
class OfTables extends TargetHealth {
  constructor(private readonly tables: Tables) {
    super();
  }

  override failed(...args: Parameters<Tables['failed']>): Promise<number | undefined> {
    return Promise.resolve(this.tables.failed(...args));
  }

  override recovered(targetUid: string): Promise<void> {
    return Promise.resolve(this.tables.recovered(targetUid));
  }

  override takeProbe(targetUid: string): Promise<boolean> {
    return Promise.resolve(this.tables.takeProbe(targetUid));
  }
}

function simulated(): Promise<HealthSubject> {
  const tables = new Tables(new VirtualTime(), new Random(1));
  return Promise.resolve({
    health: new OfTables(tables),
    letTimePass: () => Promise.resolve(void (tables.clockOffsetMs += LONG_MS)),
    close: () => Promise.resolve(),
  });
}

describe.each([
  { where: 'in PostgreSQL', open: inPostgres, suspects: true },
  { where: 'in memory', open: inMemory, suspects: true },
  { where: 'in the simulation', open: simulated, suspects: false },
])('the breakers $where', ({ open, suspects }) => {
  let subject: HealthSubject;
  beforeAll(async () => {
    subject = await open();
  });
  afterAll(() => subject.close());

  it('stay open when a probe fails of something that alone would open none', async () => {
    const { health } = subject;
    const uid = randomUUID();
    expect(await health.failed(uid, TIMEOUT)).toBeGreaterThan(0);
    for (let probe = 1; probe <= 4; probe++) {
      await subject.letTimePass(uid);
      expect(await health.takeProbe(uid)).toBe(true);
      expect(await health.failed(uid, FAILED), `after probe ${probe}`).toBeGreaterThan(FIRST_MS / 2);
      expect(await health.takeProbe(uid), `right after probe ${probe}`).toBe(false);
    }
  });

  it('stay open when a call that began before fails while the probe is due and nobody has it', async () => {
    const { health } = subject;
    const uid = randomUUID();
    await health.failed(uid, TIMEOUT);
    await subject.letTimePass(uid);
    expect(await health.failed(uid, FAILED)).toBeGreaterThan(0);
    expect(await health.takeProbe(uid)).toBe(false);
  });

  it.runIf(suspects)(
    'stay open when a call is cut short while the probe is due and nobody has it',
    async () => {
      const { health } = subject;
      const uid = randomUUID();
      await health.failed(uid, TIMEOUT);
      await subject.letTimePass(uid);
      expect(await health.suspected(uid, SUSPECTED, 10)).toBeGreaterThan(0);
      expect(await health.takeProbe(uid)).toBe(false);
    },
  );

  it.runIf(suspects)('stay open when a suspected target answers its probe with an error', async () => {
    const { health } = subject;
    const uid = randomUUID();
    expect(await health.suspected(uid, SUSPECTED, 5_000)).toBeGreaterThan(0);
    await subject.letTimePass(uid);
    expect(await health.takeProbe(uid)).toBe(true);
    expect(await health.failed(uid, FAILED)).toBeGreaterThan(0);
  });

  it('open for what can be read badly only when that has happened repeatedly, and close when it recovers', async () => {
    const { health } = subject;
    const uid = randomUUID();
    expect(await health.failed(uid, FAILED)).toBeUndefined();
    expect(await health.failed(uid, FAILED)).toBeUndefined();
    expect(await health.failed(uid, FAILED)).toBeGreaterThan(0);
    await health.recovered(uid);
    expect(await health.failed(uid, FAILED)).toBeUndefined();
  });
});
