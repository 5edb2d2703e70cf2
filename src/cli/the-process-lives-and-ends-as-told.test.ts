import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { createTestDatabase } from '../../test/support/postgres.js';

const ROOT = resolve(import.meta.dirname, '../..');
const HOOKS = join(ROOT, 'test/support/typescript-hooks.mjs');
const folder = mkdtempSync(join(tmpdir(), 'symphony-cli-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const DEADLINE_MS = 50_000;

interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  out: string;
  err: string;
}

interface Program {
  /** Sends a signal; refused when the process has ended. */
  kill(signal: NodeJS.Signals): void;
  /** Resolves when standard output holds the text. */
  says(text: string): Promise<void>;
  ended: Promise<Ended>;
}

/** Runs a TypeScript file as a process of its own, from the sources. */
function start(file: string, args: string[], env: Record<string, string> = {}): Program {
  const child = spawn(process.execPath, ['--import', HOOKS, file, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, ...env },
    timeout: DEADLINE_MS,
    killSignal: 'SIGKILL',
  });
  let out = '';
  let err = '';
  const waiting = new Set<() => void>();
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
    for (const check of waiting) check();
  });
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<Ended>((done) => {
    child.once('close', (code, signal) => done({ code, signal, out, err }));
  });
  return {
    kill: (signal) => void child.kill(signal),
    ended,
    says: (text) =>
      new Promise((done, fail) => {
        const check = (): void => {
          if (!out.includes(text)) return;
          waiting.delete(check);
          done();
        };
        waiting.add(check);
        check();
        void ended.then(() => fail(new Error(`it ended without saying ${text}: ${out}${err}`)));
      }),
  };
}

const MAIN = join(ROOT, 'src/main.ts');
const symphony = (args: string[], env?: Record<string, string>): Promise<Ended> =>
  start(MAIN, args, env).ended;

describe('answers that need no engine', () => {
  test('--version and --help', async () => {
    const { version } = (await import('../../package.json', { with: { type: 'json' } })).default;
    expect(await symphony(['--version'])).toMatchObject({ code: 0, out: `${version}\n`, err: '' });
    const help = await symphony(['--help', '--port', 'nonsense']);
    expect(help).toMatchObject({ code: 0, err: '' });
    expect(help.out).toContain('--database-url <url>');
  });

  test('--print-config', async () => {
    const { code, out } = await symphony(['--print-config', '-l', 'DEBUG'], {
      SYMPHONY_ADMIN_PASSWORD: 'hunter2',
    });
    expect(code).toBe(0);
    expect(out).toContain('logLevel: "debug" # the flag --log-level');
    expect(out).not.toContain('hunter2');
  });

  test('a wrong configuration is one line and exit code 2', async () => {
    expect(await symphony(['--port', '99999'])).toMatchObject({
      code: 2,
      out: '',
      err: 'The flag --port is 99999: it must be a whole number from 0 to 65535.\n',
    });
    expect(await symphony(['--host', '0.0.0.0'])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/^An administrator password is needed .*\n$/) as string,
    });
  });
});

describe('an engine', () => {
  test('listens, ends in order on SIGTERM with code 0', async () => {
    const database = await createTestDatabase();
    const program = start(MAIN, ['--port', '0', '--database-url', database.url]);
    await program.says('"Listening"');
    program.kill('SIGTERM');
    const { code, signal, out, err } = await program.ended;
    expect([code, signal, err]).toEqual([0, null, '']);
    expect(out).toContain('"msg":"Ended"');
    for (const line of out.trim().split('\n')) expect(() => JSON.parse(line) as unknown).not.toThrow();
    await database.drop();
  });

  test('says in one line that its port is in use', async () => {
    const database = await createTestDatabase();
    const taken = createServer().listen(0, '127.0.0.1');
    await new Promise((done) => taken.once('listening', done));
    const { port } = taken.address() as AddressInfo;
    const { code, err } = await symphony(['--port', String(port), '--database-url', database.url]);
    expect([code, err]).toEqual([
      1,
      `Port ${port} on 127.0.0.1 is in use by another process: stop that process, or choose another port with --port.\n`,
    ]);
    taken.close();
    await database.drop();
  });

  test('says in one line that its database does not answer', async () => {
    const { code, err } = await symphony(['--database-url', 'postgres://u:hunter2@127.0.0.1:1/x']);
    expect(code).toBe(1);
    expect(err).toMatch(/^The database .*cannot be reached.*\n$/);
    expect(err).not.toContain('hunter2');
  });
});

describe('the guards of the process', () => {
  const script = (body: string): string => {
    const file = join(folder, `${Math.abs(hash(body))}.ts`);
    const source = (path: string): string => pathToFileURL(join(ROOT, 'src', path)).href;
    writeFileSync(
      file,
      `import { guardProcess } from ${JSON.stringify(source('cli/process-guards.ts'))};
      import { endOnSignals } from ${JSON.stringify(source('cli/shutdown.ts'))};
      import { processFaults } from ${JSON.stringify(source('modules/health/index.ts'))};
      import { createLogger } from ${JSON.stringify(source('modules/logging/index.ts'))};
      const logger = createLogger({ level: 'info' });
      const hold = setInterval(() => undefined, 1000);
      ${body}`,
    );
    return file;
  };

  test('an error that nobody caught is logged with its stack and counted; the process lives', async () => {
    const program = start(
      script(`
        guardProcess(logger, () => process.exit(9));
        setTimeout(() => { throw new Error('thrown in a timer'); }, 1);
        setTimeout(() => { void Promise.reject(new Error('rejected')); }, 2);
        setTimeout(() => { logger.info(processFaults.totals, 'alive'); clearInterval(hold); }, 100);
      `),
      [],
    );
    const { code, out } = await program.ended;
    expect(code).toBe(0);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.at(-1)).toMatchObject({ msg: 'alive', unhandledRejection: 1, uncaughtException: 1 });
    for (const line of lines.slice(0, 2))
      expect(line).toMatchObject({ err: { stack: expect.stringContaining('at ') as string } });
  });

  test('a storm of them ends it, once', async () => {
    const program = start(
      script(`
        const { begin } = endOnSignals(async () => undefined, 1, logger);
        guardProcess(logger, () => begin('storm', 1));
        for (let i = 0; i < 150; i += 1) void Promise.reject(new Error('again'));
      `),
      [],
    );
    const { code, out } = await program.ended;
    expect(code).toBe(1);
    expect(out.match(/Too many uncaught errors/g)).toHaveLength(1);
  });

  test('a second signal ends at once what the first could not', async () => {
    const program = start(
      script(`
        endOnSignals(() => new Promise(() => undefined), 600, logger);
        logger.info('up');
      `),
      [],
    );
    await program.says('"up"');
    program.kill('SIGTERM');
    await program.says('no new work is taken');
    program.kill('SIGINT');
    expect(await program.ended).toMatchObject({ code: 1, signal: null });
  });

  test('an end that fails is logged, with code 1', async () => {
    const program = start(
      script(`
        endOnSignals(() => Promise.reject(new Error('cannot')), 1, logger);
        logger.info('up');
      `),
      [],
    );
    await program.says('"up"');
    program.kill('SIGTERM');
    const { code, out } = await program.ended;
    expect(code).toBe(1);
    expect(out).toContain('"message":"cannot"');
  });
});

function hash(text: string): number {
  let value = 0;
  for (const letter of text) value = (value * 31 + (letter.codePointAt(0) ?? 0)) | 0;
  return value;
}
