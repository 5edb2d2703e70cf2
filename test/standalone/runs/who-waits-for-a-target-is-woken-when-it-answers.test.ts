import { Client } from 'pg';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mockControl } from '../../../src/modules/providers/index.js';
import { mockTopology, TestEngine } from '../../support/engine.js';

let engine: TestEngine;
let database: Client;

beforeAll(async () => {
  engine = await TestEngine.start();
  database = new Client({ connectionString: engine.databaseUrl });
  await database.connect();
});
afterAll(async () => {
  await database.end();
  await engine.stop();
});

it('the probe that succeeds orders all that wait for the target, and nobody else', async () => {
  const sick = mockControl('sick');
  const sound = mockControl('sound');
  sick.set({ failGet: true });
  await engine.target('sick', {
    topologies: mockTopology('sick'),
    properties: { kind: 'sick' },
    components: [{ name: 'own', type: 'instance' }],
  });
  await engine.target('sound', { topologies: mockTopology('sound') });
  await engine.solution('s', [{ name: 'web' }]);
  await engine.instance('content', { solution: 's', target: { name: 'sound' } });
  await engine.settled('instances', 'content');
  const names = Array.from({ length: 20 }, (_, index) => `waits-${index}`);
  for (const [index, name] of names.entries()) {
    // By name and by selector.
    const target = index % 2 === 0 ? { name: 'sick' } : { selector: { kind: 'sick' } };
    await engine.instance(name, { solution: 's', target });
  }
  for (const name of names) await engine.settled('instances', name, 'Failed');
  await engine.settled('targets/registry', 'sick', 'Failed');
  const open = async (): Promise<true | undefined> => {
    const { rows } = await database.query(
      'SELECT 1 FROM target_health WHERE open_until IS NOT NULL AND NOT probing',
    );
    return rows.length > 0 ? true : undefined;
  };
  await engine.until('the breaker to open', open);

  // As after a long outage: nobody would look for a long time, but one whose turn it is.
  await database.query(`UPDATE lanes SET due_at = now() + interval '1 hour' WHERE worker IS NULL`);
  await engine.until('no run to be under way', async () => {
    const { rows } = await database.query('SELECT 1 FROM lanes WHERE worker IS NOT NULL');
    return rows.length === 0 ? true : undefined;
  });
  await database.query(`UPDATE lanes SET due_at = now() + interval '1 hour' WHERE worker IS NULL`);
  await database.query('UPDATE target_health SET open_until = now()');
  sick.heal();
  const looks = sound.calls.length;
  await engine.ok('POST', '/solution/queue?instance=waits-7');
  for (const name of names) await engine.settled('instances', name);
  await engine.settled('targets/registry', 'sick');
  expect(sound.calls.length).toBe(looks);
  const { rows } = await database.query('SELECT 1 FROM fan_outs');
  expect(rows).toEqual([]);
});
