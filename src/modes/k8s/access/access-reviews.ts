import type { KubeObject, ResourceType } from '../client/index.js';
import { ExpiringCache } from './expiring-cache.js';
import type { Need } from './needs.js';
import type { Reviewer } from './reviewer.js';
import type { KubernetesUser } from './token-reviews.js';

interface SubjectAccessReview {
  spec: {
    user: string;
    uid?: string;
    groups?: readonly string[];
    extra?: KubernetesUser['extra'];
    resourceAttributes?: object;
    nonResourceAttributes?: object;
  };
  status?: { allowed?: boolean; denied?: boolean };
}

const SUBJECT_ACCESS_REVIEWS: ResourceType<KubeObject & SubjectAccessReview> = {
  group: 'authorization.k8s.io',
  version: 'v1',
  plural: 'subjectaccessreviews',
  kind: 'SubjectAccessReview',
  namespaced: false,
};

/** Who may read may read for this much longer after the right was taken. Writes and refusals are asked for each time. */
export const ALLOWED_READ_MS = 5_000;
const MOST_READS = 5_000;

/** What a user of the cluster may do, by the cluster's word. */
export class AccessReviews {
  readonly #reads = new ExpiringCache<true>(MOST_READS);

  constructor(private readonly reviewer: Pick<Reviewer, 'ask'>) {}

  /** @throws UnavailableError when the cluster cannot be asked */
  async allows(user: KubernetesUser, need: Need): Promise<boolean> {
    const spec = specOf(user, need);
    const read = need.verb === 'get' || need.verb === 'list';
    const key = read ? JSON.stringify(spec) : '';
    if (read && this.#reads.get(key)) return true;
    const { status } = await this.reviewer.ask<SubjectAccessReview>(SUBJECT_ACCESS_REVIEWS, { spec });
    const allowed = status?.allowed === true && status.denied !== true;
    if (allowed && read) this.#reads.set(key, true, ALLOWED_READ_MS);
    return allowed;
  }
}

function specOf(user: KubernetesUser, need: Need): SubjectAccessReview['spec'] {
  const { username, uid, groups, extra } = user;
  const attributes =
    'path' in need
      ? { nonResourceAttributes: { verb: need.verb, path: need.path } }
      : { resourceAttributes: { ...need, namespace: need.namespace ?? '', version: 'v1' } };
  return { user: username, uid, groups, extra, ...attributes };
}
