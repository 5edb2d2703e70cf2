import { randomBytes } from 'node:crypto';
import { SIGNING_KEY_BYTES, SigningKeyStore } from '../../../../modules/auth/index.js';
import type { Sql } from '../../database/database.js';

/** The signing key in PostgreSQL. */
export class PostgresSigningKeyStore extends SigningKeyStore {
  constructor(private readonly sql: Sql) {
    super();
  }

  /** The row's primary key is the lock: of many inserts at once one wins, and the others wait for it to commit. */
  override async load(): Promise<Uint8Array> {
    const stored = (await this.#read()) ?? (await this.#createAndRead());
    if (!stored) throw new Error('The signing key vanished while it was being made');
    return stored;
  }

  async #createAndRead(): Promise<Uint8Array | undefined> {
    await this.sql.query('INSERT INTO signing_keys (id, key) VALUES (1, $1) ON CONFLICT (id) DO NOTHING', [
      randomBytes(SIGNING_KEY_BYTES),
    ]);
    // A statement of its own: it sees what the winner committed, which the insert does not return.
    return this.#read();
  }

  async #read(): Promise<Uint8Array | undefined> {
    const [row] = await this.sql.query<{ key: Buffer }>('SELECT key FROM signing_keys WHERE id = 1');
    return row?.key;
  }
}
