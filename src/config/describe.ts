import { CONFIG_KEYS, type ConfigKey } from './keys.js';

/** The text of `--help`: loaded without the framework, so that it answers at once. */
export function helpText(): string {
  return [
    'Symphony: declare targets, solutions and instances; the engine deploys, heals and removes.',
    '',
    'Usage:',
    '  node dist/main [flags]                          serve the API and reconcile',
    '  node dist/main backup --file <file> [flags]     write an online backup of the embedded database',
    '  node dist/main restore --file <file> [--force]  put a backup into the data directory',
    '  node dist/main --mode=k8s release [flags]       let go of the cluster before the engine is uninstalled',
    '',
    'Flags (each is also an environment variable; flag over environment over file over default):',
    ...rows([
      ['-c, --config <file>', 'A configuration file, YAML or JSON (SYMPHONY_CONFIG).'],
      ...CONFIG_KEYS.filter((row) => row.flag).map((row): [string, string] => [
        usage(row),
        `${row.description}${suffix(row)}`,
      ]),
      ['--print-config', 'Print the effective configuration, secrets masked, and end.'],
      ['-h, --help', 'Print this and end.'],
      ['-v, --version', 'Print the version and end.'],
    ]),
    '',
    'Environment or file only:',
    ...rows(CONFIG_KEYS.filter((row) => !row.flag).map((row) => [row.env ?? row.key, row.description])),
    '',
    'Exit codes: 0 ended as asked, 1 failed, 2 the configuration or the command line is wrong.',
    '',
  ].join('\n');
}

function usage(row: ConfigKey): string {
  return `${namesOf(row)} <${row.placeholder}>`;
}

/** All that the flag is called by. */
function namesOf({ short, flag, alias }: ConfigKey): string {
  return [short && `-${short}`, flag && `--${flag}`, alias && `--${alias}`].filter(Boolean).join(', ');
}

function suffix(row: ConfigKey): string {
  const text = defaultText(row);
  return text === undefined ? '' : ` Default: ${text}.`;
}

function defaultText(row: ConfigKey): string | undefined {
  if (row.default === undefined) return undefined;
  return Array.isArray(row.default) ? row.default.join(',') || 'none' : String(row.default);
}

/** One flag a row; a description that does not fit goes on below itself. */
function rows(items: readonly (readonly [string, string])[]): string[] {
  const indent = ' '.repeat(6);
  return items.flatMap(([left, right]) => [
    `  ${left}`,
    ...wrap(right.replaceAll('`', ''), 94).map((line) => indent + line),
  ]);
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line && line.length + word.length + 1 > width) {
      lines.push(line);
      line = word;
    } else {
      line = line ? `${line} ${word}` : word;
    }
  }
  return [...lines, line];
}

/** The table of docs/configuration.md; a test keeps the page equal to it. */
export function markdownTable(): string {
  const lines = CONFIG_KEYS.map((row) => {
    const flag = row.flag ? `\`${namesOf(row)}\`` : '';
    const value = defaultText(row);
    const cells = [
      `\`${row.key}\``,
      flag,
      row.env ? `\`${row.env}\`` : '',
      row.type,
      value === undefined ? '' : `\`${value}\``,
      row.description.replaceAll('|', '\\|') + (row.secret ? ' Masked when printed.' : ''),
    ];
    return `| ${cells.join(' | ')} |`;
  });
  return [
    '| Key | Flag | Environment | Type | Default | What it does |',
    '|---|---|---|---|---|---|',
    ...lines,
  ].join('\n');
}
