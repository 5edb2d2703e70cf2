/**
 * The text of a container's log as the engine sends it: frames of a stream number, three zeros, a length and that many
 * bytes. With a terminal the text comes as it is. Whatever is cut off at the end is taken as far as it goes.
 */
export function logText(bytes: Uint8Array, tty: boolean): string {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (tty) return buffer.toString('utf8');
  const parts: Buffer[] = [];
  let at = 0;
  while (at + 8 <= buffer.length) {
    const end = at + 8 + buffer.readUInt32BE(at + 4);
    parts.push(buffer.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(parts).toString('utf8');
}

/** The JSON values of a stream with one on each line; a line that is none is left out. */
export async function* jsonLines(stream: AsyncIterable<Uint8Array>): AsyncGenerator {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE) rest = '';
    for (const line of lines) yield* parsed(line);
  }
  yield* parsed(rest);
}

const MAX_LINE = 1024 * 1024;

function* parsed(line: string): Generator {
  if (line.trim() === '') return;
  try {
    yield JSON.parse(line) as unknown;
  } catch {
    // Not JSON: nothing that this code could use.
  }
}
