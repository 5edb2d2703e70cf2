import { AccessError, ConflictError, InvalidInputError, SymphonyError } from '@symphony/model';
import { expect, it } from 'vitest';
import { ApiUnavailableError, apiStatusOf, errorOf, ExpiredError, unreachable } from './api-errors.js';

function refusal(httpStatus: number, reason: string, details: object = {}, message = 'no'): SymphonyError {
  return errorOf({
    httpStatus,
    status: { reason, message, code: httpStatus, details },
    what: 'update things',
  });
}

it('names the fields that are not valid, in the spelling of the server', () => {
  const causes = [
    { reason: 'FieldValueInvalid', field: 'spec.interval', message: 'must be a duration' },
    { reason: 'FieldValueRequired', field: 'spec.components[0].name', message: 'Required value' },
  ];
  const error = refusal(422, 'Invalid', { causes });
  expect(error).toBeInstanceOf(InvalidInputError);
  expect(error.status).toBe(400);
  expect(error.problems).toEqual([
    { path: 'spec.interval', message: 'must be a duration' },
    { path: 'spec.components[0].name', message: 'Required value' },
  ]);
});

it.each([
  [refusal(409, 'Conflict'), ConflictError, 'Conflict', 409],
  [refusal(409, 'AlreadyExists'), ConflictError, 'AlreadyExists', 409],
  [refusal(403, 'Forbidden'), AccessError, 'Forbidden', 403],
  [refusal(403, 'Forbidden', {}, 'x is forbidden: exceeded quota: q'), AccessError, 'QuotaExceeded', 403],
  [
    refusal(403, 'Forbidden', { causes: [{ reason: 'NamespaceTerminating' }] }),
    ConflictError,
    'NamespaceTerminating',
    409,
  ],
  [refusal(410, 'Expired'), ExpiredError, 'Expired', 410],
  [refusal(413, 'RequestEntityTooLarge'), SymphonyError, 'ObjectTooLarge', 413],
  // Our credentials are not those of whoever asks us: a 401 of ours would send him to log in.
  [refusal(401, 'Unauthorized'), ApiUnavailableError, 'KubernetesUnauthorized', 503],
  [refusal(429, 'TooManyRequests'), ApiUnavailableError, 'KubernetesUnavailable', 503],
  [refusal(500, 'InternalError'), ApiUnavailableError, 'KubernetesUnavailable', 503],
  [refusal(504, 'Timeout'), ApiUnavailableError, 'KubernetesUnavailable', 503],
  [refusal(415, 'UnsupportedMediaType'), SymphonyError, 'KubernetesRefused', 502],
])('%s', (error, type, code, status) => {
  expect(error).toBeInstanceOf(type);
  expect(error).toMatchObject({ code, status });
});

it('says whether a write may have happened', () => {
  const effect = (error: unknown): unknown => (error as ApiUnavailableError).effect;
  expect(effect(refusal(429, 'TooManyRequests'))).toBe('none');
  expect(effect(refusal(500, 'InternalError'))).toBe('unknown');
  expect(effect(refusal(503, 'ServiceUnavailable'))).toBe('unknown');
  const code = (name: string): Error => Object.assign(new Error('x'), { code: name });
  expect(effect(unreachable(code('ECONNREFUSED'), 'x', 'y'))).toBe('none');
  expect(effect(unreachable(new AggregateError([code('ECONNREFUSED')]), 'x', 'y'))).toBe('none');
  expect(effect(unreachable(code('ECONNRESET'), 'x', 'y'))).toBe('unknown');
  expect(effect(unreachable(new TypeError('terminated', { cause: code('ECONNRESET') }), 'x', 'y'))).toBe(
    'unknown',
  );
});

it('a server whose certificate is not trusted is named so', () => {
  const cause = Object.assign(new Error('self-signed'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' });
  expect(unreachable(cause, 'x', 'https://y').message).toMatch(
    /certificate of the API server at https:\/\/y/,
  );
});

it('keeps what the server said as the cause', () => {
  const error = refusal(409, 'Conflict', {}, 'the object has been modified');
  expect(apiStatusOf(error)).toMatchObject({
    httpStatus: 409,
    message: 'the object has been modified',
    status: { reason: 'Conflict' },
  });
  expect(apiStatusOf(new Error('another'))).toBeUndefined();
});
