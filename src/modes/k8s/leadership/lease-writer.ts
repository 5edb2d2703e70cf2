import { ConflictError, NotFoundError } from '@symphony/model';
import type { ApiClient } from '../client/index.js';
import { LeadershipLostError } from './errors.js';
import { epochOf, holderOf, LEASES, microTime, type Lease, type LeaseSpec } from './lease.js';

export interface LeaseWriterOptions {
  client: ApiClient;
  namespace: string;
  name: string;
  identity: string;
  leaseMs: number;
  /** For each request. */
  requestMs: number;
  /** Written on the Lease with each acquisition. */
  annotations: () => Readonly<Record<string, string>>;
}

/**
 * The requests of an elector on its Lease. Every write is a compare-and-swap on the version that was read or written before,
 * is sent once, and goes over sockets of its own.
 */
export class LeaseWriter {
  readonly #call;

  constructor(private readonly options: LeaseWriterOptions) {
    const { requestMs } = options;
    this.#call = { channel: 'lease', attempts: 1, attemptMs: requestMs, deadlineMs: requestMs } as const;
  }

  /** The Lease as it is; undefined when there is none. */
  async read(): Promise<Lease | undefined> {
    const { client, namespace, name } = this.options;
    try {
      return await client.get(LEASES, { namespace, name }, this.#call);
    } catch (error) {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    }
  }

  /**
   * Makes this process the holder, with a new epoch. Undefined when another one was faster.
   * @param lease as it was read
   */
  async acquire(lease: Lease | undefined, epoch: number): Promise<Lease | undefined> {
    const { client, namespace, name, identity, leaseMs, annotations } = this.options;
    const now = microTime();
    const spec: LeaseSpec = {
      ...lease?.spec,
      holderIdentity: identity,
      leaseDurationSeconds: Math.ceil(leaseMs / 1000),
      acquireTime: now,
      renewTime: now,
      leaseTransitions: epoch,
    };
    const metadata = {
      ...(lease ? metadataOf(lease) : { namespace, name }),
      annotations: { ...lease?.metadata.annotations, ...annotations() },
    };
    try {
      return await (lease
        ? client.replace(LEASES, { metadata, spec }, this.#call)
        : client.create(LEASES, { metadata, spec }, this.#call));
    } catch (error) {
      if (error instanceof ConflictError || error instanceof NotFoundError) return undefined;
      throw error;
    }
  }

  /**
   * Says that the holder is alive. When the Lease was changed meanwhile (by a renewal of ours whose answer was lost, by a
   * person's annotation) and is still ours, that is renewed.
   * @throws LeadershipLostError when it is not ours any more
   */
  renew(held: Lease): Promise<Lease> {
    return this.#update(held, { renewTime: microTime() });
  }

  /** Gives the Lease to whoever comes first. @throws LeadershipLostError when it is not ours any more */
  async release(held: Lease): Promise<void> {
    await this.#update(held, { holderIdentity: '', renewTime: microTime() });
  }

  async #update(held: Lease, change: LeaseSpec): Promise<Lease> {
    try {
      return await this.#replace(held, change);
    } catch (error) {
      if (error instanceof NotFoundError) throw new LeadershipLostError('its Lease was deleted');
      if (!(error instanceof ConflictError)) throw error;
    }
    const current = await this.read();
    if (holderOf(current) !== this.options.identity || epochOf(current) !== epochOf(held) || !current) {
      throw new LeadershipLostError(`'${holderOf(current) ?? 'nobody'}' holds its Lease`);
    }
    return this.#replace(current, change);
  }

  #replace(lease: Lease, change: LeaseSpec): Promise<Lease> {
    const spec = { ...lease.spec, ...change };
    return this.options.client.replace(LEASES, { metadata: metadataOf(lease), spec }, this.#call);
  }
}

/** Field ownership is the server's to keep. */
function metadataOf({ metadata: { managedFields: _unused, ...metadata } }: Lease): Lease['metadata'] {
  return metadata;
}
