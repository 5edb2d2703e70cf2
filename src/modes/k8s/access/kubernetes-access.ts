import { AccessError } from '@symphony/model';
import type { FastifyRequest } from 'fastify';
import { bearerTokenOf, type Principal, RequestAccess } from '../../../modules/auth/index.js';
import { AccessReviews } from './access-reviews.js';
import { describeNeed, type Need } from './needs.js';
import { refusePlainHttp } from './plain-http.js';
import { Reviewer, type AccessLog, type ReviewClient } from './reviewer.js';
import { ruleOf } from './routes.js';
import { claimsOf, TokenReviews, type KubernetesUser } from './token-reviews.js';

/** The issuer of our own users' tokens. */
const OWN_ISSUER = 'symphony';
/** Of more namespaces than these the right to all is asked for at once. */
const MOST_NAMESPACES = 20;

export interface KubernetesAccessOptions {
  /** Best one of its own: what callers ask for must not take sockets from the engine's work. */
  client: ReviewClient;
  /** Of the tokens that are taken; at least one. */
  audiences: readonly string[];
  /** The namespaces that the engine serves; undefined or empty: all. */
  namespaces?: readonly string[] | undefined;
  /** Our own users, where there are any. */
  users?: RequestAccess | undefined;
  log: AccessLog;
}

/**
 * Lets the cluster say who a caller is (TokenReview) and what they may do (SubjectAccessReview): the same rights as with kubectl.
 * docs/kubernetes/access.md has the table, docs/adr/0015-access-by-the-cluster.md the reasons.
 */
export class KubernetesAccess extends RequestAccess {
  readonly #tokens: TokenReviews;
  readonly #reviews: AccessReviews;
  readonly #advice: string;

  constructor(private readonly options: KubernetesAccessOptions) {
    super();
    const { client, audiences, log } = options;
    const reviewer = new Reviewer(client, log);
    this.#tokens = new TokenReviews(reviewer, audiences);
    this.#reviews = new AccessReviews(reviewer);
    this.#advice = `send the header "Authorization: Bearer <token>", with a token of the cluster for the audience ${audiences[0]}, such as that of kubectl create token <service account> --audience ${audiences[0]}.`;
  }

  override async identify(request: FastifyRequest): Promise<Principal> {
    const token = this.#tokenOf(request);
    const ours = this.#usersOf(token);
    if (ours) return ours.identify(request);
    const { username } = await this.#userOf(token);
    return { name: username, roles: [] };
  }

  override async admit(request: FastifyRequest): Promise<Principal> {
    const token = this.#tokenOf(request);
    const ours = this.#usersOf(token);
    if (ours) return ours.admit(request);
    const user = await this.#userOf(token);
    await this.#refuseUnlessAllowed(user, request);
    return { name: user.username, roles: [], cleared: true };
  }

  #tokenOf(request: FastifyRequest): string {
    const token = bearerTokenOf(request, this.#advice);
    refusePlainHttp(request);
    return token;
  }

  /** Whoever is to judge this token, it is verified there: what it says of itself only chooses. */
  #usersOf(token: string): RequestAccess | undefined {
    const { users } = this.options;
    return users && claimsOf(token)?.['iss'] === OWN_ISSUER ? users : undefined;
  }

  async #userOf(token: string): Promise<KubernetesUser> {
    const user = await this.#tokens.userOf(token);
    if (user) return user;
    throw new AccessError(
      401,
      `The cluster does not take this token, or it is not meant for this engine: ${this.#advice}`,
      'TokenInvalid',
    );
  }

  async #refuseUnlessAllowed(user: KubernetesUser, request: FastifyRequest): Promise<void> {
    const template = request.routeOptions.url;
    const rule = ruleOf(request.method, template);
    if (!rule) throw new AccessError(403, `Nobody may ${request.method} ${template} in this mode.`);
    const { params, query, headers, body } = request as AskedRequest;
    const needs = rule.needs({ params: params ?? {}, query: query ?? {}, headers, body });
    const answers = await Promise.all(
      this.#spread(needs).map(async (one) => ({ one, allowed: await this.#reviews.allows(user, one) })),
    );
    const missing = answers.filter(({ allowed }) => !allowed).map(({ one }) => describeNeed(one));
    // No rule that asks for nothing may let anybody in.
    if (missing.length === 0 && answers.length > 0) return;
    throw new AccessError(
      403,
      `"${user.username}" may not ${[...new Set(missing)].join(', nor ') || `${request.method} ${template}`}; a Role and a RoleBinding of Kubernetes can allow it.`,
    );
  }

  /** "All namespaces" are those that the engine serves. */
  #spread(needs: readonly Need[]): Need[] {
    const { namespaces = [] } = this.options;
    if (namespaces.length === 0 || namespaces.length > MOST_NAMESPACES) return [...needs];
    return needs.flatMap((one) =>
      'path' in one || one.namespace !== undefined
        ? [one]
        : namespaces.map((namespace) => ({ ...one, namespace })),
    );
  }
}

type AskedRequest = FastifyRequest<{
  Params: Record<string, string | undefined>;
  Querystring: Record<string, string | undefined>;
}>;
