import { expect, test } from 'vitest';
import { ConfigError } from '../config/errors.js';
import { parseCommandLine } from './args.js';
import { run } from './run.js';

test.each<[string[], string]>([
  [['--prot', '1'], 'There is no flag --prot; did you mean --port?'],
  [['--whatever'], 'There is no flag --whatever; --help lists the flags.'],
  [['-x'], 'There is no flag -x; --help lists the flags.'],
  [['--port'], 'The flag --port needs a value.'],
  [['--port='], 'The flag --port needs a value.'],
  [['-c'], 'The flag -c needs a value.'],
  [['--print-config=yes'], 'The flag --print-config takes no value.'],
  [['serv'], 'There is no command "serv"; use backup, restore, release, or none to serve.'],
  [['backup', 'x'], '"x" after backup is not understood; --help shows the usage.'],
  [['--file', 'x'], '--file belongs to backup and restore only.'],
  [['backup', '--force'], '--force belongs to restore only.'],
])('%j', (argv, sentence) => {
  expect(() => parseCommandLine(argv)).toThrow(new ConfigError(sentence));
});

test('flags are taken in every form that people write', () => {
  const line = parseCommandLine([
    '--mode=standalone',
    '-l',
    'Debug',
    '-c=a.yaml',
    '--port',
    '1',
    '--port',
    '2',
    '--host',
    '::1',
  ]);
  expect(Object.fromEntries(line.flags)).toEqual({
    mode: 'standalone',
    logLevel: 'Debug',
    port: '2',
    host: '::1',
  });
  expect(line).toMatchObject({ command: 'serve', configFile: 'a.yaml' });
  expect(parseCommandLine(['-l=Error']).flags.get('logLevel')).toBe('Error');
  expect(parseCommandLine(['restore', '--file', 'b', '--force'])).toMatchObject({
    command: 'restore',
    file: 'b',
    force: true,
  });
  expect(parseCommandLine(['--queue-lease-seconds', '-1']).flags.get('queue.leaseSeconds')).toBe('-1');
});

test.each<[string[], string]>([
  [['--port', 'x'], 'The flag --port is "x": it must be a whole number from 0 to 65535.\n'],
  [['release'], 'release belongs to --mode=k8s.\n'],
  [['backup'], 'backup needs --file with the path of the backup.\n'],
])('%j ends with code 2 and one line', async (argv, sentence) => {
  let err = '';
  const code = await run(argv, {}, { out: () => undefined, err: (text) => (err += text) });
  expect([code, err]).toEqual([2, sentence]);
});
