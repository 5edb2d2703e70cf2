import {
  ArrayMaxSize,
  ArrayMinSize,
  IsArray,
  IsBoolean,
  IsIn,
  IsInt,
  IsNumber,
  IsOptional,
  IsString,
  Matches,
  Max,
  MaxLength,
  Min,
  MinLength,
  ValidateNested,
} from 'class-validator';

/** Every message completes the sentence "<key> must be …"; {@link loadConfig} puts the source in front of it. */
const whole = (least: number, most: number) => ({
  message: `must be a whole number from ${least} to ${most}`,
});
const text = (what: string) => ({ message: `must be ${what}` });

const DAY = 86_400_000;

/** A user beside `admin`; exactly one of `passwordHash` (argon2id) and `passwordFile` (absolute) is set. */
export interface UserConfig {
  name: string;
  roles: readonly string[];
  passwordHash?: string;
  passwordFile?: string;
}

class AuthConfig {
  /** In clear; undefined when none is set. Taken from `adminPasswordFile` when that is given. */
  @IsOptional()
  @IsString(text('text'))
  @MaxLength(1024, text('at most 1024 characters long'))
  @MinLength(1, text('at least one character long'))
  adminPassword?: string;

  @IsOptional()
  @IsString(text('the path of a file'))
  adminPasswordFile?: string;

  @IsArray(text('a list of users'))
  users: UserConfig[] = [];
}

class DatabaseConfig {
  @IsInt(whole(2, 200))
  @Min(2, whole(2, 200))
  @Max(200, whole(2, 200))
  poolSize = 10;
}

class QueueConfig {
  @IsInt(whole(1, 10_000))
  @Min(1, whole(1, 10_000))
  @Max(10_000, whole(1, 10_000))
  concurrency = 32;

  @IsInt(whole(1, 600))
  @Min(1, whole(1, 600))
  @Max(600, whole(1, 600))
  leaseSeconds = 5;

  @IsInt(whole(0, 3600))
  @Min(0, whole(0, 3600))
  @Max(3600, whole(0, 3600))
  drainSeconds = 20;
}

class ReconcileConfig {
  /** Milliseconds; 0 means on change only. */
  @IsNumber({}, text('a duration such as 30m'))
  @Max(365 * DAY, text('a duration of at most 8760h'))
  interval = 1_800_000;

  /** Milliseconds. */
  @IsNumber({}, text('a duration such as 1m'))
  @Min(1000, text('a duration from 1s to 24h'))
  @Max(DAY, text('a duration from 1s to 24h'))
  minInterval = 60_000;

  /** Milliseconds. */
  @IsNumber({}, text('a duration from 1s to 8760h'))
  @Min(1000, text('a duration from 1s to 8760h'))
  @Max(365 * DAY, text('a duration from 1s to 8760h'))
  deleteTimeout = 1_800_000;

  @IsInt(whole(1, 86_400))
  @Min(1, whole(1, 86_400))
  @Max(86_400, whole(1, 86_400))
  stepTimeoutSeconds = 60;

  @IsInt(whole(1, 1000))
  @Min(1, whole(1, 1000))
  @Max(1000, whole(1, 1000))
  targetConcurrency = 8;

  /** Milliseconds. */
  @IsNumber({}, text('a duration from 1s to 8760h'))
  @Min(1000, text('a duration from 1s to 8760h'))
  @Max(365 * DAY, text('a duration from 1s to 8760h'))
  reportTimeout = DAY;
}

class HistoryConfig {
  /** Milliseconds. */
  @IsNumber({}, text('a duration such as 720h'))
  @Min(60_000, text('a duration of at least 1m'))
  maxAge = 2_592_000_000;

  @IsInt(whole(1, 10_000))
  @Min(1, whole(1, 10_000))
  @Max(10_000, whole(1, 10_000))
  maxRunsPerObject = 50;
}

class ScriptProviderConfig {
  /** Absolute folders; empty means that the script provider is off. */
  @IsArray(text('a list of folders'))
  @ArrayMaxSize(100, text('a list of at most 100 folders'))
  @IsString({ each: true, message: 'must be a list of folders' })
  @MinLength(1, { each: true, message: 'must be a list of folders, none of them empty' })
  allowedFolders: string[] = [];
}

class DockerProviderConfig {
  @IsBoolean(text('true or false'))
  enabled = true;
}

class MockProviderConfig {
  @IsBoolean(text('true or false'))
  enabled = true;
}

class HttpProviderConfig {
  @IsBoolean(text('true or false'))
  allowLinkLocal = false;
}

class ProvidersConfig {
  @ValidateNested() script = new ScriptProviderConfig();
  @ValidateNested() mock = new MockProviderConfig();
  @ValidateNested() docker = new DockerProviderConfig();
  @ValidateNested() http = new HttpProviderConfig();
}

class SecretsConfig {
  @IsOptional()
  @IsString(text('the path of a folder'))
  folder?: string;
}

class ConfigsConfig {
  @IsOptional()
  @IsString(text('the path of a folder'))
  folder?: string;
}

class HttpConfig {
  @IsInt(whole(1024, 67_108_864))
  @Min(1024, whole(1024, 67_108_864))
  @Max(67_108_864, whole(1024, 67_108_864))
  bodyLimitBytes = 4_194_304;

  @IsArray(text('a list of host names'))
  @ArrayMaxSize(100, text('a list of at most 100 host names'))
  @Matches(/^([0-9A-Za-z_.-]{1,255}|\[?[0-9A-Fa-f:.]{2,45}\]?)$/, {
    each: true,
    message: 'must be a list of host names without ports',
  })
  allowedHosts: string[] = [];

  @IsArray(text('a list of origins'))
  @ArrayMaxSize(100, text('a list of at most 100 origins'))
  @Matches(/^https?:\/\/[^\s/?#*@A-Z]{1,255}$/, {
    each: true,
    message: 'must be a list of origins such as https://portal.example.org, in lower case and without a path',
  })
  corsOrigins: string[] = [];

  /** Absolute; both of the two or neither. */
  @IsOptional()
  @IsString(text('the path of a file'))
  tlsCert?: string;

  @IsOptional()
  @IsString(text('the path of a file'))
  tlsKey?: string;
}

class KubernetesConfig {
  /** Absolute; undefined: KUBECONFIG, else the service account of the pod, else ~/.kube/config. */
  @IsOptional()
  @IsString(text('the path of a file'))
  kubeconfig?: string;

  @IsOptional()
  @IsString(text('the name of a context'))
  @MinLength(1, text('the name of a context'))
  context?: string;

  /** Empty: all. */
  @IsArray(text('a list of namespaces'))
  @ArrayMaxSize(1000, text('a list of at most 1000 namespaces'))
  @Matches(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, { each: true, message: 'must be a list of namespaces' })
  namespaces: string[] = [];

  /** Roles in these namespaces, and RoleBindings of the same names, that are not to go before what we have there. */
  @IsArray(text('a list of names of Roles'))
  @ArrayMaxSize(20, text('a list of at most 20 names of Roles'))
  @Matches(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, {
    each: true,
    message: 'must be a list of names of Roles',
  })
  heldRoles: string[] = [];

  /** Of the Lease and of the engine's own Secret; undefined: that of the pod or of the context, else `default`. */
  @IsOptional()
  @Matches(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, text('a namespace'))
  leaseNamespace?: string;

  @IsInt(whole(1, 600))
  @Min(1, whole(1, 600))
  @Max(600, whole(1, 600))
  leaseSeconds = 15;

  /** Milliseconds. */
  @IsNumber({}, text('a duration from 10s to 8760h'))
  @Min(10_000, text('a duration from 10s to 8760h'))
  @Max(365 * DAY, text('a duration from 10s to 8760h'))
  relist = 36_000_000;

  /** Off: our own users and their roles alone, as in standalone mode. */
  @IsBoolean(text('true or false'))
  authentication = true;

  @IsArray(text('a list of audiences'))
  @ArrayMinSize(1, text('a list of at least one audience'))
  @ArrayMaxSize(10, text('a list of at most 10 audiences'))
  @Matches(/^\S{1,255}$/, { each: true, message: 'must be a list of audiences without blanks' })
  audiences: string[] = ['symphony'];

  /** Undefined: made from the address and the port that are listened on. */
  @IsOptional()
  @Matches(/^https?:\/\/[^\s/?#@]{1,255}$/, text('a URL without a path, such as https://10.1.2.3:8082'))
  advertiseUrl?: string;

  /** Absolute. */
  @IsOptional()
  @IsString(text('the path of a file'))
  leaderCa?: string;

  @IsOptional()
  @Matches(/^[A-Za-z0-9.-]{1,253}$/, text('a DNS name'))
  leaderServerName?: string;
}

class MetricsConfig {
  @IsBoolean(text('true or false'))
  public = false;
}

/**
 * The configuration of one process, complete and valid: {@link loadConfig} is the only maker outside tests.
 * Paths are absolute, durations are milliseconds; `*Seconds` are seconds.
 */
export class AppConfig {
  @IsIn(['standalone', 'k8s'], text('standalone or k8s'))
  mode: 'standalone' | 'k8s' = 'standalone';

  @IsIn(
    ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
    text('Trace, Debug, Info, Warn, Error or Fatal'),
  )
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' = 'info';

  @IsString(text('an address or a host name'))
  @Matches(/^[0-9A-Za-z_.:%-]{1,255}$/, text('an address or a host name'))
  host = '127.0.0.1';

  @IsInt(whole(0, 65_535))
  @Min(0, whole(0, 65_535))
  @Max(65_535, whole(0, 65_535))
  port = 8082;

  /** Absolute. */
  @IsString(text('the path of a folder'))
  @MinLength(1, text('the path of a folder'))
  dataDir = './symphony-data';

  /** Undefined means the embedded database. */
  @IsOptional()
  @IsString(text('a postgres:// URL'))
  @Matches(/^postgres(ql)?:\/\/\S+$/, text('a URL such as postgres://user:password@host:5432/database'))
  databaseUrl?: string;

  @ValidateNested() database = new DatabaseConfig();
  @ValidateNested() auth = new AuthConfig();
  @ValidateNested() queue = new QueueConfig();
  @ValidateNested() reconcile = new ReconcileConfig();
  @ValidateNested() history = new HistoryConfig();
  @ValidateNested() providers = new ProvidersConfig();
  @ValidateNested() secrets = new SecretsConfig();
  @ValidateNested() configs = new ConfigsConfig();
  @ValidateNested() http = new HttpConfig();
  @ValidateNested() metrics = new MetricsConfig();
  @ValidateNested() kubernetes = new KubernetesConfig();
}
