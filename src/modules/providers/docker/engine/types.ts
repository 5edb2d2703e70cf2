/** The parts of the engine's answers that are read. Everything may be missing: the engine is another program. */
interface ContainerState {
  Status?: string;
  Running?: boolean;
  OOMKilled?: boolean;
  ExitCode?: number;
  /** Why the last start failed. */
  Error?: string;
  StartedAt?: string;
  Health?: { Status?: string; Log?: { Output?: string }[] | null } | null;
}

export interface Mount {
  Type?: string;
  Source?: string;
  Target?: string;
  ReadOnly?: boolean;
}

export interface PortBinding {
  HostIp?: string;
  HostPort?: string;
}

export interface HostConfig extends Record<string, unknown> {
  NetworkMode?: string;
  PortBindings?: Record<string, PortBinding[] | null> | null;
  RestartPolicy?: { Name?: string; MaximumRetryCount?: number } | null;
  Mounts?: Mount[] | null;
}

/** Answer of `GET /containers/{id}/json`. */
export interface ContainerInspect {
  Id: string;
  /** With a slash in front. */
  Name?: string;
  /** The id of its image. */
  Image?: string;
  RestartCount?: number;
  State?: ContainerState;
  HostConfig?: HostConfig;
  Config?: {
    Image?: string;
    Env?: string[] | null;
    Cmd?: string[] | null;
    Entrypoint?: string[] | null;
    Labels?: Record<string, string> | null;
    StopTimeout?: number | null;
    Tty?: boolean;
  };
  NetworkSettings?: {
    Networks?: Record<string, unknown> | null;
    /** With the ports that the engine chose. */
    Ports?: Record<string, PortBinding[] | null> | null;
  };
}

/** One item of `GET /containers/json`. */
export interface ContainerSummary {
  Id: string;
  Labels?: Record<string, string> | null;
  State?: string;
}

/** A line of `GET /events`. */
export interface EngineEvent {
  Action?: string;
  Actor?: { ID?: string; Attributes?: Record<string, string> };
}

/** Body of `POST /containers/create`. */
export interface CreationBody extends Record<string, unknown> {
  Image: string;
  Labels: Record<string, string>;
  HostConfig: HostConfig;
}
