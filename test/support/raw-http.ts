import { connect } from 'node:net';

export interface RawAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
  /** The body as JSON. */
  json<T = Record<string, unknown>>(): T;
}

const ANSWER_DEADLINE_MS = 30_000;

export interface RawRequest {
  method: string;
  /** As it goes into the request line, escaped or not. */
  target: string | Buffer;
  /** Beside Host, Content-Length (of the body, if there is one) and Connection, in this order. */
  headers?: readonly (readonly [string, string | Buffer])[];
  body?: string | Buffer | undefined;
}

/** An answer, and how long it took in milliseconds. */
export type TimedAnswer = RawAnswer & { ms: number };

/** Sends a request byte for byte, on a connection of its own. */
export async function exchange(url: string, request: RawRequest): Promise<TimedAnswer> {
  const { port, host } = new URL(url);
  const body = request.body === undefined ? undefined : Buffer.from(request.body);
  const headers: (readonly [string, string | Buffer])[] = [
    ['Host', host],
    ...(request.headers ?? []),
    ...(body ? [['Content-Length', String(body.length)] as const] : []),
    ['Connection', 'close'],
  ];
  const bytes = Buffer.concat([
    Buffer.from(`${request.method} `),
    Buffer.from(request.target),
    Buffer.from(' HTTP/1.1\r\n'),
    ...headers.flatMap(([name, value]) => [
      Buffer.from(`${name}: `),
      Buffer.from(value),
      Buffer.from('\r\n'),
    ]),
    Buffer.from('\r\n'),
    ...(body ? [body] : []),
  ]);
  return timed(Number(port), bytes);
}

/** Sends a whole request as it stands, and reads one answer. */
async function timed(port: number, bytes: string | Buffer): Promise<TimedAnswer> {
  const from = performance.now();
  const answer = await sendRaw(port, bytes);
  return { ...answer, ms: performance.now() - from };
}

/**
 * Sends raw bytes and reads one answer: up to its Content-Length, or to the end of the connection. The request should not
 * ask to keep the connection.
 */
export function sendRaw(port: number, request: string | Buffer): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    const chunks: Buffer[] = [];
    socket.setTimeout(ANSWER_DEADLINE_MS, () => socket.destroy(new Error('no answer in time')));
    socket.on('error', (error) => {
      const answer = parseAnswer(Buffer.concat(chunks));
      if (answer) resolve(answer);
      else reject(error);
    });
    socket.on('data', (chunk) => {
      chunks.push(chunk);
      const answer = parseAnswer(Buffer.concat(chunks));
      if (answer?.whole) socket.destroy();
      if (answer?.whole) resolve(answer);
    });
    socket.on('close', () => {
      const answer = parseAnswer(Buffer.concat(chunks));
      if (answer) resolve(answer);
      else
        reject(
          new Error(
            `the connection ended without an answer: ${Buffer.concat(chunks).toString().slice(0, 200)}`,
          ),
        );
    });
    socket.write(request);
  });
}

function parseAnswer(bytes: Buffer): (RawAnswer & { whole: boolean }) | undefined {
  const end = bytes.indexOf('\r\n\r\n');
  if (end === -1) return undefined;
  const [first = '', ...lines] = bytes.subarray(0, end).toString('latin1').split('\r\n');
  const status = Number(first.split(' ')[1]);
  if (status === 100) return parseAnswer(bytes.subarray(end + 4));
  const headers: Record<string, string> = {};
  for (const line of lines)
    headers[line.slice(0, line.indexOf(':')).toLowerCase()] = line.slice(line.indexOf(':') + 1).trim();
  const body = bytes.subarray(end + 4);
  const length = headers['content-length'];
  const text = body.toString('utf8');
  return {
    status,
    headers,
    body: text,
    whole: length !== undefined && body.length >= Number(length),
    json: <T>() => JSON.parse(text) as T,
  };
}
