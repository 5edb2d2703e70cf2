import type { Readable } from 'node:stream';
import { InvalidInputError, SymphonyError } from '@symphony/model';

/** A client that sends too much reads our answer only once it has sent it: so much is taken and thrown away. */
const MOST_DISCARDED_BYTES = 64 * 1024 * 1024;
const LONGEST_DISCARD_MS = 10_000;

/**
 * Reads a body as UTF-8 text (a byte order mark is left out).
 * @param declared the Content-Length, when there is one.
 * @throws SymphonyError 413 above `limit` bytes, 400 when it is not UTF-8 or the client went away.
 */
export async function readBodyText(
  source: Readable,
  limit: number,
  declared: number | undefined,
): Promise<string> {
  const bytes = await readBytes(source, limit, declared);
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    const message = 'the text is not UTF-8';
    throw new InvalidInputError(
      `The body cannot be read: ${message}.`,
      [{ path: '', message }],
      'BodyNotReadable',
    );
  }
}

/** The time to wait for the bytes is bounded by the server's request timeout, which closes the connection. */
function readBytes(source: Readable, limit: number, declared: number | undefined): Promise<Buffer> {
  const tooLarge = new SymphonyError(
    'BodyTooLarge',
    413,
    `The body is larger than ${limit} bytes: send less, or raise http.bodyLimitBytes.`,
  );
  if (declared !== undefined && declared > MOST_DISCARDED_BYTES) return Promise.reject(tooLarge);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let received = 0;
    let timer: NodeJS.Timeout | undefined;

    const settle = (act: () => void): void => {
      clearTimeout(timer);
      source.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone);
      act();
    };
    const onData = (chunk: Buffer): void => {
      received += chunk.length;
      if (received <= limit) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      timer ??= setTimeout(() => settle(() => reject(tooLarge)), LONGEST_DISCARD_MS);
      if (received > MOST_DISCARDED_BYTES) settle(() => reject(tooLarge));
    };
    const onEnd = (): void =>
      settle(() => (received > limit ? reject(tooLarge) : resolve(Buffer.concat(chunks, received))));
    const onGone = (): void =>
      settle(() =>
        reject(new InvalidInputError('The client ended the connection within the body.', [], 'BodyCutOff')),
      );

    source.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone);
  });
}
