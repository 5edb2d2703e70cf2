import type { PlacedClient } from './placed-client.js';
import { type RawAnswer, sendRaw } from './raw-http.js';

interface Sent {
  token?: string | undefined;
  body?: string | undefined;
  /** As `maestro` sends it on each request, whether there is a body or not. */
  contentType?: string | undefined;
  /** As Go sends a body whose length it does not know. */
  chunked?: boolean | undefined;
}

/** A client's way of putting a request on the wire, byte for byte. */
export type WireClient = (method: string, target: string, sent?: Sent) => Promise<RawAnswer>;

/** Where a client speaks to, and what is called otherwise there. */
type Spoken = Pick<PlacedClient, 'url' | 'namespace' | 'place'>;

/** Go's net/http, which `maestro` and Symphony's API client use. */
export function goClient(engine: Spoken): WireClient {
  return inPlace(
    engine,
    (url, method, target, { token, body, contentType = 'application/json', chunked }) => {
      const wantsLength = body !== undefined || ['POST', 'PUT', 'PATCH'].includes(method);
      return send(url, body === undefined || !chunked ? body : inChunks(body), [
        `${method} ${target} HTTP/1.1`,
        `Host: ${new URL(url).host}`,
        'User-Agent: Go-http-client/1.1',
        ...(chunked ? ['Transfer-Encoding: chunked'] : wantsLength ? [lengthOf(body)] : []),
        ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
        ...(contentType === '' ? [] : [`Content-Type: ${contentType}`]),
        'Accept-Encoding: gzip',
      ]);
    },
  );
}

/** Python's requests, which the SDK uses. */
export function pythonClient(engine: Spoken): WireClient {
  return inPlace(engine, (url, method, target, { token, body }) =>
    send(url, body, [
      `${method} ${target} HTTP/1.1`,
      `Host: ${new URL(url).host}`,
      'User-Agent: python-requests/2.32.3',
      'Accept-Encoding: gzip, deflate',
      'Accept: application/json',
      'Connection: keep-alive',
      'Content-Type: application/json',
      ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
      ...(method === 'GET' && body === undefined ? [] : [lengthOf(body)]),
    ]),
  );
}

/** `curl`, with `-d` when there is a body. */
export function curlClient(engine: Spoken): WireClient {
  return inPlace(engine, (url, method, target, { token, body, contentType }) =>
    send(url, body, [
      `${method} ${target} HTTP/1.1`,
      `Host: ${new URL(url).host}`,
      ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
      'User-Agent: curl/8.5.0',
      'Accept: */*',
      ...(body === undefined
        ? []
        : [lengthOf(body), `Content-Type: ${contentType ?? 'application/x-www-form-urlencoded'}`]),
    ]),
  );
}

type Put = (url: string, method: string, target: string, sent: Sent) => Promise<RawAnswer>;

/** Nothing but the names of the namespace and the password are those of the engine's place. */
function inPlace({ url, namespace, place }: Spoken, put: Put): WireClient {
  if (namespace === 'default') return (method, target, sent = {}) => put(url, method, target, sent);
  // A name that Kubernetes does not take is called there as Symphony calls it.
  const renamed = new Map<string, string>();
  const named = (name: string): string => {
    const other = name.replace(':', '-v-');
    renamed.set(other, name);
    return other;
  };
  return async (method, target, sent = {}) => {
    const login = target.endsWith('/users/auth');
    const body = login
      ? sent.body?.replace('"password":""', `"password":"${place.password}"`)
      : sent.body
          ?.replaceAll(/"(namespace|objectNamespace)":"default"/g, `"$1":"${namespace}"`)
          .replace(/(?<="metadata":\{"name":")\w+:\w+(?=")/, named);
    const there = target.replace(/\w+%3A\w+/, (name) =>
      named(decodeURIComponent(name)).replaceAll('-', '%2D'),
    );
    const answer = await put(url, method, login ? target : targetIn(namespace, there), { ...sent, body });
    let text = answer.body.replaceAll(namespace, 'default');
    for (const [other, name] of renamed) text = text.replaceAll(other, name);
    return { ...answer, body: text, json: <T>() => JSON.parse(text) as T };
  };
}

/** As text: what else is in a request line stays as its client writes it. */
function targetIn(namespace: string, target: string): string {
  if (target.includes('/greetings')) return target;
  if (/[?&]namespace=/.test(target)) return target.replace(/([?&]namespace=)default\b/, `$1${namespace}`);
  return `${target}${target.includes('?') ? '&' : '?'}namespace=${namespace}`;
}

function send(url: string, body: string | undefined, head: readonly string[]): Promise<RawAnswer> {
  return sendRaw(Number(new URL(url).port), `${head.join('\r\n')}\r\n\r\n${body ?? ''}`);
}

function lengthOf(body = ''): string {
  return `Content-Length: ${Buffer.byteLength(body)}`;
}

function inChunks(body: string): string {
  const middle = Math.floor(body.length / 2);
  return [body.slice(0, middle), body.slice(middle), '']
    .map((part) => `${Buffer.byteLength(part).toString(16)}\r\n${part}\r\n`)
    .join('');
}
