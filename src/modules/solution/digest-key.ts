import { hkdfSync } from 'node:crypto';

/** The key of the digests in the ledger. It stays the same as long as the store lives: a new one re-applies everything. */
export class DigestKey {
  private constructor(readonly bytes: Uint8Array) {}

  /** Derives it from a secret of the store, so that neither can be told from the other. */
  static from(secret: Uint8Array): DigestKey {
    return new DigestKey(new Uint8Array(hkdfSync('sha256', secret, '', 'symphony ledger digest', 32)));
  }
}
