import {
  AccessError,
  ConflictError,
  InvalidInputError,
  NotFoundError,
  SymphonyError,
  UnavailableError,
  type Problem,
} from '@symphony/model';

/** The `Status` object that an API server answers a refusal with, as far as it is used. */
export interface KubeStatus {
  reason?: string;
  message?: string;
  code?: number;
  details?: {
    name?: string;
    kind?: string;
    retryAfterSeconds?: number;
    causes?: { reason?: string; field?: string; message?: string }[];
  };
}

/** What the API server said, word for word: the `cause` of the error that it became. */
export class ApiStatusError extends Error {
  override readonly name = 'ApiStatusError';

  constructor(
    /** The HTTP status. */
    readonly httpStatus: number,
    readonly status: KubeStatus,
  ) {
    super(status.message ?? `status ${httpStatus}`);
  }
}

/** What the API server said when it caused this error. */
export function apiStatusOf(error: unknown): ApiStatusError | undefined {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof ApiStatusError ? cause : undefined;
}

/**
 * The API server cannot serve this now, or gave no answer.
 *
 * `effect` says what may have become of a write: `none` when the server said that it did nothing or never saw the request,
 * `unknown` when it may have been carried out. Only the caller can tell whether doing it again is harmless then.
 */
export class ApiUnavailableError extends UnavailableError {
  constructor(
    message: string,
    code: 'KubernetesUnreachable' | 'KubernetesUnavailable' | 'KubernetesUnauthorized' | 'KindNotServed',
    readonly effect: 'none' | 'unknown',
    /** When the server wants to be asked again, in milliseconds from its answer. */
    readonly retryAfterMs?: number,
    options?: ErrorOptions,
  ) {
    super(message, code, options);
  }
}

/** The version to go on from, or the token of the next page, is too old for the API server: 410. List anew. */
export class ExpiredError extends SymphonyError {
  constructor(options?: ErrorOptions) {
    super(
      'Expired',
      410,
      'The API server does not know this state any more: list the objects again.',
      [],
      options,
    );
  }
}

export interface Refusal {
  /** The HTTP status of the answer, or the code of a watch's error event. */
  httpStatus: number;
  /** Of the body; undefined when it is none (a proxy's page, an unknown path). */
  status: KubeStatus | undefined;
  retryAfterMs?: number;
  /** For messages: the verb and the resource, never a body. */
  what: string;
}

/** The error of the model that a refusal stands for; its `cause` is the {@link ApiStatusError}. */
export function errorOf(refusal: Refusal): SymphonyError {
  const error = translate(refusal);
  error.cause = new ApiStatusError(refusal.httpStatus, refusal.status ?? {});
  return error;
}

function translate(refusal: Refusal): SymphonyError {
  const { httpStatus, status, what, retryAfterMs } = refusal;
  const said = status?.message ?? `status ${httpStatus}`;
  switch (httpStatus) {
    case 400:
      return new InvalidInputError(`Kubernetes does not take this: ${said}`, problemsOf(status));
    case 401:
      return new ApiUnavailableError(
        `The API server does not know the engine's credentials (${what}): renew its token or client certificate.`,
        'KubernetesUnauthorized',
        'none',
      );
    case 403:
      return forbidden(status, said);
    case 404:
      return missing(status, said, what);
    case 409:
      return status?.reason === 'AlreadyExists'
        ? new ConflictError(said, 'AlreadyExists')
        : new ConflictError(said);
    case 410:
      return new ExpiredError();
    case 413:
      return new SymphonyError(
        'ObjectTooLarge',
        413,
        `Kubernetes cannot store an object of this size: ${said}`,
      );
    case 422:
      return new InvalidInputError(`Kubernetes does not take this: ${said}`, problemsOf(status));
    default:
      return httpStatus === 429 || httpStatus >= 500
        ? unavailable(httpStatus, said, what, retryAfterMs)
        : new SymphonyError('KubernetesRefused', 502, `The API server refused ${what}: ${said}`);
  }
}

function forbidden(status: KubeStatus | undefined, said: string): SymphonyError {
  if (status?.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating')) {
    return new ConflictError(`The namespace is being deleted: ${said}`, 'NamespaceTerminating');
  }
  // Both come as plain `Forbidden`; the admission plugin's words are the only difference.
  if (/exceeded quota/.test(said))
    return new AccessError(403, `A quota forbids it: ${said}`, 'QuotaExceeded');
  return new AccessError(403, `Kubernetes does not allow it: ${said}`);
}

/**
 * An API server names what it did not find. Any other 404 (a resource type that is not served, a proxy in between) says
 * nothing about the object, and must never be taken for "it is not there".
 */
function missing(status: KubeStatus | undefined, said: string, what: string): SymphonyError {
  const { name, kind } = status?.details ?? {};
  if (status?.reason === 'NotFound' && name !== undefined) {
    return new NotFoundError(said, kind === 'namespaces' ? 'NamespaceNotFound' : 'NotFound');
  }
  return new ApiUnavailableError(
    `The API server does not serve this resource (${what}): install Symphony's CRDs, and look at the server's address.`,
    'KindNotServed',
    'none',
  );
}

function unavailable(
  httpStatus: number,
  said: string,
  what: string,
  retryAfterMs: number | undefined,
): ApiUnavailableError {
  // 429 and a 503 that names a time come from in front of the storage; of others nobody knows how far they came.
  const untouched = httpStatus === 429 || (httpStatus === 503 && retryAfterMs !== undefined);
  return new ApiUnavailableError(
    `The API server cannot serve this now (${what}, status ${httpStatus}): ${said}`,
    'KubernetesUnavailable',
    untouched ? 'none' : 'unknown',
    retryAfterMs,
  );
}

/** The fields that are wrong, in the server's own spelling, for example `spec.components[0].name`. */
function problemsOf(status: KubeStatus | undefined): Problem[] {
  return (status?.details?.causes ?? [])
    .filter(({ message }) => message !== undefined)
    .map(({ field, message }) => ({ path: field ?? '', message: message ?? '' }));
}

/** Codes of errors that come before a request is sent: nothing can have been done. */
const BEFORE_SENDING = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
]);
const CERTIFICATE = /^(CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/;

/** No answer, or half of one. */
export function unreachable(cause: unknown, what: string, server: string): ApiUnavailableError {
  const code = codeOf(cause);
  if (code !== undefined && CERTIFICATE.test(code)) {
    return new ApiUnavailableError(
      `The certificate of the API server at ${server} is not trusted (${code}): correct the certificate authority of the cluster's configuration.`,
      'KubernetesUnreachable',
      'none',
      undefined,
      { cause },
    );
  }
  return new ApiUnavailableError(
    `The API server at ${server} does not answer (${what}: ${code ?? 'connection lost'}); the engine goes on trying.`,
    'KubernetesUnreachable',
    code !== undefined && BEFORE_SENDING.has(code) ? 'none' : 'unknown',
    undefined,
    { cause },
  );
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  // Several addresses of one name were tried: they failed for the same reason, mostly.
  if (error instanceof AggregateError) return codeOf(error.errors[0]);
  const code = 'code' in error ? error.code : undefined;
  if (typeof code === 'string' && code !== 'UND_ERR_SOCKET') return code;
  return codeOf(error.cause) ?? (typeof code === 'string' ? code : undefined);
}
