import { request, type Agent } from 'undici';
import { messageOf } from '@symphony/model';
import { abortError } from '@symphony/provider-kit';
import { AddressRefused } from './guard.js';
import type { DeclaredRequest } from './request.js';

/** As in Go's client, which Symphony uses. */
const MAX_REDIRECTS = 10;
/** What is kept of an answer: enough for a message. */
const MAX_BODY = 64 * 1024;

export interface HttpAnswer {
  status: number;
  body: string;
}

/** There was no answer. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer';
}

/**
 * Sends a request and follows redirects: 307 and 308 repeat it as it is, others become a GET. Headers of the declaration
 * go to the declared server only, since they may hold credentials. Has no deadline but the signal.
 * @throws NoAnswer, or what `abortError` makes when the signal fires
 */
export async function send(
  agent: Agent,
  declared: DeclaredRequest,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const what = `The request to ${declared.url.origin}`;
  let { url, method, body, headers } = declared;
  for (let redirects = 0; ; redirects++) {
    const answer = await sendOnce(agent, { url, method, body, headers }, signal, what);
    if (answer.location === undefined || declared.expects(answer.status)) return answer;
    if (redirects >= MAX_REDIRECTS)
      throw new NoAnswer(`${what} was redirected more than ${MAX_REDIRECTS} times.`);
    const next = URL.canParse(answer.location, url.href) ? new URL(answer.location, url) : undefined;
    if (!next || (next.protocol !== 'http:' && next.protocol !== 'https:')) {
      throw new NoAnswer(`${what} was redirected to something that is no http or https URL.`);
    }
    if (answer.status !== 307 && answer.status !== 308 && method !== 'HEAD') {
      [method, body] = ['GET', undefined];
    }
    if (next.origin !== declared.url.origin) headers = {};
    url = next;
  }
}

type Sent = Pick<DeclaredRequest, 'url' | 'method' | 'body' | 'headers'>;

async function sendOnce(
  agent: Agent,
  { url, method, body, headers }: Sent,
  signal: AbortSignal,
  what: string,
): Promise<HttpAnswer & { location: string | undefined }> {
  if (signal.aborted) throw abortError(signal, what);
  const work = async (): Promise<HttpAnswer & { location: string | undefined }> => {
    const answer = await request(url, {
      dispatcher: agent,
      method,
      headers,
      body: body ?? null,
      signal,
    });
    const { location } = answer.headers;
    const redirected = [301, 302, 303, 307, 308].includes(answer.statusCode) && typeof location === 'string';
    return {
      status: answer.statusCode,
      body: await firstText(answer.body),
      location: redirected ? location : undefined,
    };
  };
  let onAbort: (() => void) | undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = () => reject(abortError(signal, what));
    signal.addEventListener('abort', onAbort, { once: true });
  });
  const running = work();
  try {
    // undici does not heed a signal while it connects.
    return await Promise.race([running, aborted]);
  } catch (error) {
    running.catch(() => undefined);
    if (signal.aborted) throw abortError(signal, what);
    if (error instanceof AddressRefused)
      throw new NoAnswer(`${what} was refused. ${error.message}`, { cause: error });
    throw new NoAnswer(`${what} got no answer: ${messageOf(error)}.`, { cause: error });
  } finally {
    if (onAbort) signal.removeEventListener('abort', onAbort);
  }
}

async function firstText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= MAX_BODY) break;
  }
  return Buffer.concat(chunks).subarray(0, MAX_BODY).toString('utf8');
}
