import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { InvalidInputError, messageOf } from '@symphony/model';
import { syncFolder } from '../cluster.js';

/*
 * A backup is a gzip file of lines, so that `zcat` shows all of it:
 *   {"format":"symphony-backup","formatVersion":1,…}        the header
 *   {"table":"objects","columns":["uid",…]}                 then rows as COPY writes them, then the line \.
 *   {"sequence":"object_version_seq","lastValue":"42","isCalled":true}
 *   {"end":true,"rows":1234,"sha256":"…"}                   digest of every byte before this line
 * COPY escapes line feeds and a lone \. in data, so both are unmistakable.
 */

export const FORMAT_VERSION = 1;

export interface BackupHeader {
  format: 'symphony-backup';
  formatVersion: number;
  /** RFC 3339, UTC. */
  createdAt: string;
  /** Version of the engine that wrote it. */
  engineVersion: string;
  /** As the server says it, for example `18.4`. */
  serverVersion: string;
  /** Names of the schema migrations that had run, in their order. */
  migrations: string[];
}

export interface TablePart {
  table: string;
  columns: string[];
}

export interface SequencePart {
  sequence: string;
  /** A 64-bit number in decimal. */
  lastValue: string;
  isCalled: boolean;
}

/** What a backup consists of, in the order of the file. `rows` are whole lines of the table before them. */
export type BackupPart = BackupHeader | TablePart | SequencePart | { rows: Buffer } | { tableEnd: true };

const ROWS_END = '\\.\n';
const LF = 10;

/** The backup cannot be used: it is damaged, cut off, or not a backup. */
function damaged(path: string, why: string): InvalidInputError {
  return new InvalidInputError(
    `${path} cannot be restored: ${why}. Use another backup.`,
    [],
    'BackupDamaged',
  );
}

/**
 * Writes a backup: readable by its owner only, complete under its name or not there at all, on the disk when this
 * resolves. A file of that name is replaced in one step.
 * @returns the number of bytes of the file
 */
export async function writeBackupFile(path: string, parts: AsyncIterable<BackupPart>): Promise<number> {
  const partial = `${path}.${process.pid}.partial`;
  const handle = await open(partial, 'wx', 0o600);
  try {
    await pipeline(
      encode(parts),
      createGzip({ level: 6 }),
      createWriteStream('', { fd: handle.fd, autoClose: false }),
    );
    await handle.sync();
    const { size } = await handle.stat();
    await rename(partial, path);
    await syncFolder(dirname(path));
    return size;
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
}

async function* encode(parts: AsyncIterable<BackupPart>): AsyncGenerator<Buffer> {
  const hash = createHash('sha256');
  let rows = 0;
  for await (const part of parts) {
    let bytes: Buffer;
    if ('rows' in part) {
      bytes = part.rows;
      for (let at = bytes.indexOf(LF); at !== -1; at = bytes.indexOf(LF, at + 1)) rows++;
    } else {
      bytes = Buffer.from('tableEnd' in part ? ROWS_END : `${JSON.stringify(part)}\n`);
    }
    hash.update(bytes);
    yield bytes;
  }
  yield Buffer.from(`${JSON.stringify({ end: true, rows, sha256: hash.digest('hex') })}\n`);
}

/**
 * Reads a backup part by part. The end and the digest are checked last: parts that came before may belong to a
 * damaged file, so look at the whole file (`checkBackupFile`) before acting on one.
 * @throws InvalidInputError `BackupDamaged`
 */
export async function* readBackupFile(path: string): AsyncGenerator<BackupPart> {
  const file = createReadStream(path);
  const unzipped = createGunzip();
  file.on('error', (error) => unzipped.destroy(error));
  file.pipe(unzipped);
  const decoder = new Decoder();
  try {
    yield* decoder.decode(unzipped);
  } catch (error) {
    throw error instanceof InvalidInputError ? error : damaged(path, messageOf(error));
  } finally {
    file.destroy();
    unzipped.destroy();
  }
}

/** Reads the whole file, checks it, and returns its header. */
export async function checkBackupFile(path: string): Promise<BackupHeader> {
  let header: BackupHeader | undefined;
  for await (const part of readBackupFile(path)) {
    if ('format' in part) header = part;
  }
  if (header === undefined) throw damaged(path, 'it has no header');
  if (header.formatVersion !== FORMAT_VERSION) {
    throw damaged(path, `its format is version ${header.formatVersion}, this engine reads ${FORMAT_VERSION}`);
  }
  return header;
}

class Decoder {
  private readonly hash = createHash('sha256');
  private inTable = false;
  private begun = false;
  private ended = false;

  async *decode(input: Readable): AsyncGenerator<BackupPart> {
    let rest: Buffer[] = [];
    for await (const chunk of input as AsyncIterable<Buffer>) {
      const end = chunk.lastIndexOf(LF) + 1;
      if (end === 0) {
        rest.push(chunk);
        continue;
      }
      const lines = Buffer.concat([...rest, chunk.subarray(0, end)]);
      rest = [chunk.subarray(end)];
      yield* this.lines(lines);
    }
    if (!this.ended || rest.some((part) => part.length > 0)) throw new Error('it is cut off');
  }

  private *lines(lines: Buffer): Generator<BackupPart> {
    let at = 0;
    while (at < lines.length) {
      if (this.ended) throw new Error('something follows its end');
      if (this.inTable) {
        const stop = endOfRows(lines, at);
        const rows = lines.subarray(at, stop ?? lines.length);
        this.hash.update(rows);
        if (rows.length > 0) yield { rows };
        at += rows.length;
        if (stop === undefined) continue;
        this.hash.update(ROWS_END);
        at += ROWS_END.length;
        this.inTable = false;
        yield { tableEnd: true };
      } else {
        const next = lines.indexOf(LF, at) + 1;
        const part = this.control(lines.subarray(at, next));
        at = next;
        if (part) yield part;
      }
    }
  }

  private control(line: Buffer): BackupPart | undefined {
    const part = JSON.parse(line.toString('utf8')) as BackupPart | { end: true; sha256: string };
    if (!this.begun && !('format' in part && part.format === 'symphony-backup'))
      throw new Error('it is not a backup');
    this.begun = true;
    if ('end' in part) {
      if (part.sha256 !== this.hash.digest('hex')) throw new Error('its checksum does not match its content');
      this.ended = true;
      return undefined;
    }
    this.hash.update(line);
    this.inTable = 'table' in part;
    return part;
  }
}

/** Where in whole lines the line `\.` starts, or undefined. */
function endOfRows(lines: Buffer, from: number): number | undefined {
  if (lines.subarray(from, from + ROWS_END.length).toString('latin1') === ROWS_END) return from;
  const found = lines.indexOf(`\n${ROWS_END}`, from);
  return found === -1 ? undefined : found + 1;
}
