/** How the text of a flag or an environment variable becomes a value, and what a file may hold for it. */
type KeyType = 'text' | 'integer' | 'boolean' | 'duration' | 'list' | 'path' | 'paths' | 'users';

/** One configuration key: everything that the flags, the environment, the file and the documentation say of it. */
export interface ConfigKey {
  /** Path in the file and in {@link AppConfig}, for example `queue.leaseSeconds`. */
  key: string;
  /** The long flag without `--`; undefined where a command line would show a secret to every user of the machine. */
  flag?: string;
  /** The same flag by another name, without `--`. */
  alias?: string;
  /** A one-letter flag without `-`. */
  short?: string;
  /** The environment variable; undefined for what only a file can hold. */
  env?: string;
  type: KeyType;
  /** What stands in the help for the value, for example `<file>`. */
  placeholder: string;
  /** The default as it would be written in the file; undefined when there is none. */
  default?: string | number | boolean | readonly string[];
  /** Never printed: `all` masks the value, `url` masks only the password inside it. */
  secret?: 'all' | 'url';
  /** Other spellings of a value, by lower-case text (Symphony's `Debug` is our `debug`). */
  aliases?: Readonly<Record<string, string>>;
  description: string;
}

/** Symphony's names in lower case, and what pino calls them. */
const LOG_LEVELS = {
  trace: 'trace',
  debug: 'debug',
  info: 'info',
  warn: 'warn',
  warning: 'warn',
  error: 'error',
  fatal: 'fatal',
} as const;

/** What the name of a key says when the table does not: `queue.leaseSeconds` is `--queue-lease-seconds`. */
function named(key: string, rest: Omit<ConfigKey, 'key' | 'flag' | 'env'> & Partial<ConfigKey>): ConfigKey {
  const words = key.replaceAll('.', '-').replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return { key, flag: words, env: `SYMPHONY_${words.replaceAll('-', '_').toUpperCase()}`, ...rest };
}

/** Every configuration key, in the order of the help. The one place that names them. */
export const CONFIG_KEYS: readonly ConfigKey[] = [
  named('mode', {
    type: 'text',
    placeholder: 'standalone|k8s',
    default: 'standalone',
    aliases: { standalone: 'standalone', k8s: 'k8s' },
    description: 'Where objects live: `standalone` keeps them in PostgreSQL, `k8s` in Kubernetes.',
  }),
  named('logLevel', {
    short: 'l',
    type: 'text',
    placeholder: 'level',
    default: 'info',
    aliases: LOG_LEVELS,
    description:
      'The least urgent log lines to write: Trace, Debug, Info, Warn, Error or Fatal, in any case.',
  }),
  named('host', {
    type: 'text',
    placeholder: 'address',
    default: '127.0.0.1',
    description: 'The address to listen on. Any address other than loopback needs an administrator password.',
  }),
  named('port', {
    type: 'integer',
    placeholder: 'number',
    default: 8082,
    description: 'The port to listen on; 0 takes a free one and logs it.',
  }),
  named('dataDir', {
    type: 'path',
    placeholder: 'folder',
    default: './symphony-data',
    description: 'The folder of the embedded database and of everything else that is kept on disk.',
  }),
  named('databaseUrl', {
    type: 'text',
    placeholder: 'url',
    secret: 'url',
    description:
      'A PostgreSQL 14 or later to use, `postgres://user:password@host:5432/database`; without it the embedded database is used.',
  }),
  named('database.poolSize', {
    type: 'integer',
    placeholder: 'number',
    default: 10,
    description: 'The most database connections that one process opens for requests and runs.',
  }),
  {
    key: 'auth.adminPassword',
    env: 'SYMPHONY_ADMIN_PASSWORD',
    type: 'text',
    placeholder: 'password',
    secret: 'all',
    description:
      'The password of `admin`. It has no flag: a command line is visible to every user of the machine.',
  },
  {
    key: 'auth.adminPasswordFile',
    flag: 'admin-password-file',
    env: 'SYMPHONY_ADMIN_PASSWORD_FILE',
    type: 'path',
    placeholder: 'file',
    description: 'A file that holds the password of `admin`; the line break at its end is not part of it.',
  },
  {
    key: 'auth.users',
    type: 'users',
    placeholder: 'list',
    default: [],
    secret: 'all',
    description:
      'More users, in a file only: a list of `name`, `roles` (administrator, reader, solution-creator, target-manager, operator) and either `passwordHash` (argon2id) or `passwordFile`.',
  },
  named('queue.concurrency', {
    type: 'integer',
    placeholder: 'number',
    default: 32,
    description: 'Runs that one process works on at the same time.',
  }),
  named('queue.leaseSeconds', {
    type: 'integer',
    placeholder: 'seconds',
    default: 5,
    description: 'How long a run may go without a sign of life before another process takes it over.',
  }),
  named('queue.drainSeconds', {
    type: 'integer',
    placeholder: 'seconds',
    default: 20,
    description: 'How long running work may go on after SIGTERM or SIGINT before it is handed back.',
  }),
  named('reconcile.interval', {
    type: 'duration',
    placeholder: 'duration',
    default: '30m',
    description: 'How often an object without its own interval is reconciled; 0 means on change only.',
  }),
  named('reconcile.minInterval', {
    type: 'duration',
    placeholder: 'duration',
    default: '1m',
    description: 'The shortest interval that an object may ask for.',
  }),
  named('reconcile.deleteTimeout', {
    type: 'duration',
    placeholder: 'duration',
    default: '30m',
    description:
      'Within which a removal is to have ended, where an object does not say it by delete-timeout.',
  }),
  named('reconcile.stepTimeoutSeconds', {
    type: 'integer',
    placeholder: 'seconds',
    default: 60,
    description: 'The longest that one call of a provider may take.',
  }),
  named('reconcile.reportTimeout', {
    type: 'duration',
    placeholder: 'duration',
    default: '24h',
    description: 'How long the report on a component that a provider accepted is waited for.',
  }),
  named('reconcile.targetConcurrency', {
    type: 'integer',
    placeholder: 'number',
    default: 8,
    description: 'Targets that one run works on at the same time.',
  }),
  named('history.maxAge', {
    type: 'duration',
    placeholder: 'duration',
    default: '720h',
    description: 'How long a run is kept in the history.',
  }),
  named('history.maxRunsPerObject', {
    type: 'integer',
    placeholder: 'number',
    default: 50,
    description: 'How many runs of one object are kept in the history.',
  }),
  named('providers.script.allowedFolders', {
    type: 'paths',
    placeholder: 'folder,...',
    default: [],
    description:
      'The folders whose scripts the script provider may run; with none the provider is off, since it runs programs.',
  }),
  named('providers.docker.enabled', {
    type: 'boolean',
    placeholder: 'true|false',
    default: true,
    description:
      'Whether targets may use the Docker provider, and with it the Docker engines that this process can reach.',
  }),
  named('providers.mock.enabled', {
    type: 'boolean',
    placeholder: 'true|false',
    default: true,
    description:
      'Whether targets may use the mock provider, which keeps what it is given in the memory of the engine.',
  }),
  named('providers.http.allowLinkLocal', {
    type: 'boolean',
    placeholder: 'true|false',
    default: false,
    description:
      'Whether the HTTP provider may reach link-local addresses and the metadata services of clouds.',
  }),
  named('secrets.folder', {
    type: 'path',
    placeholder: 'folder',
    description:
      'The folder of the file secret provider: one folder for each namespace, in it one for each secret, in that one file for each field.',
  }),
  named('configs.folder', {
    type: 'path',
    placeholder: 'folder',
    description:
      'The folder of the file configuration provider: one folder for each namespace, one YAML or JSON file for each configuration.',
  }),
  named('http.bodyLimitBytes', {
    type: 'integer',
    placeholder: 'bytes',
    default: 4 * 1024 * 1024,
    description: 'The largest request body that is read.',
  }),
  named('http.allowedHosts', {
    type: 'list',
    placeholder: 'name,...',
    default: [],
    description:
      'On loopback: further host names, without ports, by which the engine may be called; others are refused, since a web page could use them.',
  }),
  named('http.corsOrigins', {
    type: 'list',
    placeholder: 'origin,...',
    default: [],
    description:
      'Origins such as `https://portal.example.org` whose web pages may call the engine; with none no page of another origin may.',
  }),
  {
    key: 'http.tlsCert',
    flag: 'tls-cert',
    env: 'SYMPHONY_TLS_CERT',
    type: 'path',
    placeholder: 'file',
    description:
      'The certificate to serve TLS with, in PEM form, its issuers behind it; needs `http.tlsKey`.',
  },
  {
    key: 'http.tlsKey',
    flag: 'tls-key',
    env: 'SYMPHONY_TLS_KEY',
    type: 'path',
    placeholder: 'file',
    description: 'The private key of `http.tlsCert`, in PEM form without a passphrase.',
  },
  named('metrics.public', {
    type: 'boolean',
    placeholder: 'true|false',
    default: false,
    description: 'Whether `/metrics` answers without a token.',
  }),
  named('kubernetes.kubeconfig', {
    type: 'path',
    placeholder: 'file',
    description:
      'Only with `--mode=k8s`: the kubeconfig to use. Default: `KUBECONFIG`, else the service account of the pod, else `~/.kube/config`.',
  }),
  named('kubernetes.context', {
    type: 'text',
    placeholder: 'name',
    description: 'Only with `--mode=k8s`: a context of the kubeconfig. Default: its current one.',
  }),
  named('kubernetes.namespaces', {
    alias: 'namespaces',
    type: 'list',
    placeholder: 'name,…',
    default: [],
    description: 'Only with `--mode=k8s`: the namespaces to serve. Default: all, which needs a ClusterRole.',
  }),
  named('kubernetes.heldRoles', {
    type: 'list',
    placeholder: 'name,…',
    default: [],
    description:
      'Only with `--mode=k8s` and `kubernetes.namespaces`: names of Roles there, and of the RoleBindings of the same names, with the finalizer `rights.engine.symphony/finalizer`. The engine takes it off when such a namespace is being deleted and nothing of its own is left there. The last one gives the right to do so.',
  }),
  named('kubernetes.leaseNamespace', {
    type: 'text',
    placeholder: 'name',
    description:
      "Only with `--mode=k8s`: where the Lease of the leader and the engine's Secret are. Default: the namespace of the pod or context.",
  }),
  named('kubernetes.leaseSeconds', {
    type: 'integer',
    placeholder: 'number',
    default: 15,
    description:
      'Only with `--mode=k8s`: how long a leader that is silent keeps its Lease; it steps down by itself after two thirds of it.',
  }),
  named('kubernetes.relist', {
    type: 'duration',
    placeholder: 'duration',
    default: '10h',
    description:
      'Only with `--mode=k8s`: how often everything is listed anew, beside being watched. It heals what no watch told, as behind a proxy that loses something.',
  }),
  named('kubernetes.authentication', {
    type: 'boolean',
    placeholder: 'true|false',
    default: true,
    description:
      'Only with `--mode=k8s`: whether the cluster says who a caller is and what they may do. Off, the engine knows its own users only, and needs an administrator password.',
  }),
  named('kubernetes.audiences', {
    type: 'list',
    placeholder: 'audience,…',
    default: ['symphony'],
    description:
      'Only with `--mode=k8s`: the audiences of the bearer tokens that the API takes. A token for the API server is no good here, unless its audience is listed.',
  }),
  named('kubernetes.advertiseUrl', {
    type: 'text',
    placeholder: 'url',
    description:
      'Only with `--mode=k8s`: where other replicas reach this one when it leads. Default: the address and port that it listens on; `POD_IP`, or the first address of the machine, where it listens on all.',
  }),
  named('kubernetes.leaderCa', {
    type: 'path',
    placeholder: 'file',
    description:
      "Only with `--mode=k8s`: the certificates, in PEM form, that the leader's is checked with. Default: this replica's own, `ca.crt` beside it, and those that Node.js trusts. Read again when it changes.",
  }),
  named('kubernetes.leaderServerName', {
    type: 'text',
    placeholder: 'name',
    description:
      "Only with `--mode=k8s`: the DNS name that the leader's certificate must have. Default: the first of this replica's own certificate.",
  }),
];

/** The key of that path, if there is one. */
export function configKey(path: string): ConfigKey | undefined {
  return CONFIG_KEYS.find(({ key }) => key === path);
}
