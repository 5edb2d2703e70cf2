/** Where the key that signs tokens is kept, so that a restart or another replica accepts the tokens of before. */
export abstract class SigningKeyStore {
  /**
   * The key: {@link SIGNING_KEY_BYTES} random bytes. The first call on a new store makes it; calls at the same time, from
   * any number of replicas, all get the same one.
   * @throws UnavailableError when the store cannot be reached
   */
  abstract load(): Promise<Uint8Array>;
}

/** As long as the output of HS256's hash: a shorter key would be the weakest part, a longer one adds nothing. */
export const SIGNING_KEY_BYTES = 32;
