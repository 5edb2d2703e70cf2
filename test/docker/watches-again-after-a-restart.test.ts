import { randomBytes } from 'node:crypto';
import { Client } from 'pg';
import { expect, it } from 'vitest';
import { describeDocker, startDocker } from '../support/docker-engine.js';
import { TestEngine } from '../support/engine.js';
import { createTestDatabase } from '../support/postgres.js';

interface Container {
  Id: string;
  State: { Status: string };
}

describeDocker('a target is watched again after a restart, before anything runs there', () => {
  it('what is removed by hand then is back within seconds', async () => {
    const database = await createTestDatabase('watch');
    const docker = await startDocker();
    const name = `w${randomBytes(3).toString('hex')}`;
    const container = async (): Promise<Container | undefined> =>
      docker.api<Container>('GET', `/containers/${name}/json`).catch(() => undefined);
    let engine = await TestEngine.start({ databaseUrl: database.url });
    try {
      const config = { host: docker.host, startGraceSeconds: '0.3' };
      await engine.target('machine', {
        topologies: [{ bindings: [{ role: 'instance', provider: 'providers.target.docker', config }] }],
      });
      const properties = {
        'container.image': docker.images[0],
        'container.imagePullPolicy': 'Never',
        'container.commands': ['sh', '-c', 'trap "exit 0" TERM; sleep 1000 & wait'],
      };
      await engine.solution('s', [{ name, properties }]);
      await engine.instance('watched', { solution: 's', target: { name: 'machine' } });
      await engine.settled('instances', 'watched');
      await engine.leave();

      // The periodic run is far away: nothing but an event of the target can order one.
      const client = new Client({ connectionString: database.url });
      await client.connect();
      await client.query(`UPDATE lanes SET due_at = now() + interval '1 hour'`);
      await client.end();
      engine = await TestEngine.start({ databaseUrl: database.url });
      const first = await container();
      expect(first?.State.Status).toBe('running');
      // Whether it listens already is not told: it is removed until that was heard.
      const back = await engine.until('the container to be back', async () => {
        const found = await container();
        if (found?.Id === first?.Id)
          await docker.api('DELETE', `/containers/${name}?force=true`).catch(() => undefined);
        return found && found.Id !== first?.Id && found.State.Status === 'running' ? found : undefined;
      });
      expect(back.Id).not.toBe(first?.Id);
      await engine.ok('DELETE', '/instances/watched');
      await engine.gone('instances', 'watched');
    } finally {
      await engine.leave();
      await docker.stop();
      await database.drop();
    }
  });
});
