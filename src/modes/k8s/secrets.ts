import { randomBytes } from 'node:crypto';
import { ConflictError, UnavailableError } from '@symphony/model';
import { SIGNING_KEY_BYTES, SigningKeyStore } from '../../modules/auth/index.js';
import type { ApiClient, KubeObject, ResourceType } from './client/index.js';
import { unlessMissing } from './objects/readable.js';

/** A Secret, as far as it is used. */
export interface Secret extends KubeObject {
  type?: string;
  data?: Record<string, string>;
  immutable?: boolean;
}

export const SECRETS: ResourceType<Secret> = {
  group: '',
  version: 'v1',
  plural: 'secrets',
  kind: 'Secret',
  namespaced: true,
};

const ENTRY = 'key';

/** The key that signs tokens and digests, in a Secret that is made once and never changed. */
export class SecretSigningKeyStore extends SigningKeyStore {
  #key: Promise<Uint8Array> | undefined;

  constructor(
    private readonly client: Pick<ApiClient, 'get' | 'create'>,
    private readonly namespace: string,
    private readonly name: string,
  ) {
    super();
  }

  override load(): Promise<Uint8Array> {
    this.#key ??= this.#load().catch((error: unknown) => {
      this.#key = undefined;
      throw error;
    });
    return this.#key;
  }

  async #load(): Promise<Uint8Array> {
    return (await this.#read()) ?? (await this.#create());
  }

  async #read(): Promise<Uint8Array | undefined> {
    const { namespace, name } = this;
    const secret = await unlessMissing(this.client.get(SECRETS, { namespace, name }));
    if (!secret) return undefined;
    const key = Buffer.from(secret.data?.[ENTRY] ?? '', 'base64');
    if (key.length === SIGNING_KEY_BYTES) return new Uint8Array(key);
    throw new UnavailableError(
      `The Secret ${namespace}/${name} holds no signing key: delete it, and a new one is made.`,
      'SigningKeyUnusable',
    );
  }

  async #create(): Promise<Uint8Array> {
    const { namespace, name } = this;
    const key = randomBytes(SIGNING_KEY_BYTES);
    const secret: Secret = {
      metadata: { namespace, name, labels: { 'app.kubernetes.io/part-of': 'symphony' } },
      type: 'Opaque',
      immutable: true,
      data: { [ENTRY]: key.toString('base64') },
    };
    try {
      await this.client.create(SECRETS, secret);
      return new Uint8Array(key);
    } catch (error) {
      // Another replica was faster: there is one key for all.
      const others = error instanceof ConflictError ? await this.#read() : undefined;
      if (!others) throw error;
      return others;
    }
  }
}
