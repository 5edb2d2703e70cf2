import { createHmac, randomBytes } from 'node:crypto';
import { isPlainObject } from '@symphony/model';
import type { KubeObject, ResourceType } from '../client/index.js';
import { ExpiringCache } from './expiring-cache.js';
import type { Reviewer } from './reviewer.js';

/** Whom the cluster knows by a token. */
export interface KubernetesUser {
  username: string;
  uid?: string;
  groups?: readonly string[];
  extra?: Readonly<Record<string, readonly string[]>>;
}

interface TokenReview {
  spec: { token: string; audiences: readonly string[] };
  status?: { authenticated?: boolean; user?: KubernetesUser; audiences?: readonly string[] };
}

const TOKEN_REVIEWS: ResourceType<KubeObject & TokenReview> = {
  group: 'authentication.k8s.io',
  version: 'v1',
  plural: 'tokenreviews',
  kind: 'TokenReview',
  namespaced: false,
};

/** A token whose service account was deleted, or whose pod is gone, is good for this much longer. */
const VERIFIED_MS = 10_000;
/** Short, since a token may become good: those who guess get nothing out of it. */
const REFUSED_MS = 2_000;
const MOST_TOKENS = 2_000;

/**
 * Who holds a token, by the cluster's word. Answers are kept for seconds, at most until the token ends, under a keyed digest of
 * the token: the tokens themselves are nowhere. Good and refused ones are kept apart, so that nobody's garbage pushes out the good.
 */
export class TokenReviews {
  readonly #key = randomBytes(32);
  readonly #good = new ExpiringCache<KubernetesUser>(MOST_TOKENS);
  readonly #refused = new ExpiringCache<true>(MOST_TOKENS);
  readonly #asking = new Map<string, Promise<KubernetesUser | undefined>>();

  constructor(
    private readonly reviewer: Pick<Reviewer, 'ask'>,
    /** A token must be meant for one of these. */
    private readonly audiences: readonly string[],
    /** Milliseconds since 1970, as tokens have it. */
    private readonly clock: () => number = Date.now,
  ) {}

  /**
   * Undefined for a token that is no good here.
   * @throws UnavailableError when the cluster cannot be asked
   */
  async userOf(token: string): Promise<KubernetesUser | undefined> {
    const key = createHmac('sha256', this.#key).update(token).digest('base64url');
    const known = this.#good.get(key);
    // Looked at each time: the wall clock may have jumped since.
    if (known && this.#leftOf(token) > 0) return known;
    if (this.#refused.get(key)) return undefined;
    let asking = this.#asking.get(key);
    if (!asking) {
      asking = this.#review(token, key).finally(() => this.#asking.delete(key));
      this.#asking.set(key, asking);
    }
    return asking;
  }

  async #review(token: string, key: string): Promise<KubernetesUser | undefined> {
    const { audiences } = this;
    const { status } = await this.reviewer.ask<TokenReview>(TOKEN_REVIEWS, { spec: { token, audiences } });
    const user = this.#accepted(status);
    if (user) this.#good.set(key, user, Math.min(VERIFIED_MS, this.#leftOf(token)));
    else this.#refused.set(key, true, REFUSED_MS);
    return user;
  }

  /** An authenticator that says nothing of audiences has not looked at them: its token is the API server's, not ours. */
  #accepted(status: TokenReview['status']): KubernetesUser | undefined {
    if (status?.authenticated !== true || !status.user?.username) return undefined;
    return status.audiences?.some((audience) => this.audiences.includes(audience)) ? status.user : undefined;
  }

  /** Milliseconds until the token ends; endless when it does not say. */
  #leftOf(token: string): number {
    const exp = claimsOf(token)?.['exp'];
    return typeof exp === 'number' ? exp * 1000 - this.clock() : Infinity;
  }
}

/** What a JWT says, unverified; undefined when it is none. */
export function claimsOf(token: string): Record<string, unknown> | undefined {
  const parts = token.split('.');
  if (parts.length !== 3) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(parts[1] ?? '', 'base64url').toString('utf8'));
    return isPlainObject(claims) ? claims : undefined;
  } catch {
    return undefined;
  }
}
