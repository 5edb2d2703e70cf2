import { constants } from 'node:fs';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { messageOf } from '@symphony/model';
import { ProviderError } from '@symphony/provider-kit';

/** A script that writes more has gone wrong; reading it would only exhaust memory. */
const OUTPUT_LIMIT = 10 * 1024 * 1024;

/** The files of one run, named after its marker: two that the script reads, one that it writes. */
export interface Exchange {
  marker: string;
  folder: string;
  /** Path of the deployment: argument 1 of the script. */
  deployment: string;
  /** Path of the components: argument 2 of the script. */
  references: string;
}

/** Writes the inputs, readable by this user alone. A folder that is named after the marker is made. */
export async function writeExchange(
  folder: string,
  marker: string,
  content: { deployment: unknown; references: unknown },
): Promise<Exchange> {
  const deployment = join(folder, `${marker}.json`);
  const references = join(folder, `${marker}-ref.json`);
  try {
    if (basename(folder) === marker) await mkdir(folder, { mode: 0o700 });
    await writeInput(deployment, content.deployment);
    await writeInput(references, content.references);
  } catch (cause) {
    const message = `The files for the script cannot be written: ${messageOf(cause)}`;
    throw new ProviderError('ProviderFailed', message, undefined, { cause });
  }
  return { marker, folder, deployment, references };
}

async function writeInput(path: string, value: unknown): Promise<void> {
  // One space: line-oriented scripts rely on Symphony's layout. `wx`: never through a link that somebody put there.
  await writeFile(path, JSON.stringify(value, undefined, 1), { mode: 0o600, flag: 'wx' });
}

/**
 * What the script wrote to the first of these files that exists (`-output` means `<uuid>-output.json`).
 * @throws ProviderError when there is none, it is too large, or not JSON. Its content is not quoted: it may hold secrets.
 */
export async function readOutput(
  exchange: Exchange,
  suffixes: readonly string[],
  script: string,
): Promise<unknown> {
  for (const suffix of suffixes) {
    const path = join(exchange.folder, `${exchange.marker}${suffix}.json`);
    const text = await readBounded(path, script);
    if (text === undefined) continue;
    try {
      return JSON.parse(text) as unknown;
    } catch {
      // No cause: the parser's message quotes the text.
      throw new ProviderError('ProviderFailed', `${script} wrote output that is not JSON.`);
    }
  }
  const wanted = `<uuid>${suffixes[0] ?? ''}.json`;
  throw new ProviderError(
    'ProviderFailed',
    `${script} ended well but wrote no output: it must write ${wanted} beside its first argument.`,
  );
}

async function readBounded(path: string, script: string): Promise<string | undefined> {
  const unreadable = (cause?: unknown): ProviderError =>
    new ProviderError('ProviderFailed', `${script} wrote output that cannot be read.`, undefined, { cause });
  let file;
  try {
    // Not through a link, and without waiting for the writer of a pipe.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unreadable(error);
  }
  try {
    const stats = await file.stat();
    if (!stats.isFile()) throw unreadable();
    const { size } = stats;
    const buffer = Buffer.alloc(Math.min(size, OUTPUT_LIMIT) + 1);
    let length = 0;
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    if (length > OUTPUT_LIMIT) {
      throw new ProviderError(
        'ProviderFailed',
        `${script} wrote output that is larger than ${OUTPUT_LIMIT / 1024 / 1024} MiB.`,
      );
    }
    return buffer.toString('utf8', 0, length).replace(/^\uFEFF/, '');
  } finally {
    await file.close();
  }
}
