import type { SecureContextOptions } from 'node:tls';
import { SymphonyError } from '@symphony/model';

/** What proves the server to us, and us to the server, below HTTP. */
export interface TlsMaterial extends Pick<
  SecureContextOptions,
  'ca' | 'cert' | 'key' | 'pfx' | 'passphrase'
> {
  servername?: string;
  /** False only when the kubeconfig says `insecure-skip-tls-verify`. */
  rejectUnauthorized?: boolean;
}

/** How to talk to the API server at this moment. */
export interface Credentials {
  readonly headers: Readonly<Record<string, string>>;
  readonly tls: TlsMaterial;
}

/** Where the API server is, and as whom the engine speaks to it. */
export interface ClusterAccess {
  /** With the path that all requests go below, if there is one. */
  readonly server: URL;
  /** The namespace that the engine itself lives in, or that its context names. */
  readonly namespace: string | undefined;
  /** An HTTP proxy to go through. */
  readonly proxy: string | undefined;
  /**
   * The credentials of now. Called before every request, so an implementation keeps them for seconds; files that were
   * rotated are seen within {@link CREDENTIALS_FRESH_MS}.
   */
  credentials(): Promise<Credentials>;
  /** The server refused them: forget what is kept. Cheap to call for every refusal. */
  refused(): void;
}

/** A kubelet renews a token when a fifth of its life is left, minutes before its end: ten seconds are early. */
export const CREDENTIALS_FRESH_MS = 10_000;

/** The configuration of the cluster cannot be used. Nothing but another configuration helps. */
export class ClusterConfigError extends SymphonyError {
  constructor(message: string, options?: ErrorOptions) {
    super('ClusterConfig', 500, message, [], options);
  }
}

/** Access that never changes. */
export function fixedAccess(
  server: string,
  credentials: Partial<Credentials> = {},
  namespace?: string,
): ClusterAccess {
  const fixed: Credentials = { headers: {}, tls: {}, ...credentials };
  return {
    server: new URL(server),
    namespace,
    proxy: undefined,
    credentials: () => Promise.resolve(fixed),
    refused: () => undefined,
  };
}
