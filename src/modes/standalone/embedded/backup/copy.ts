import { Readable, Writable, type Duplex } from 'node:stream';
import type { ClientBase, Connection, Submittable } from 'pg';

/** The parts of pg's connection that its types leave out. */
interface CopyConnection {
  stream: Duplex;
  query(text: string): void;
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
}

/**
 * The data of a `COPY … TO STDOUT`, as fast as the reader takes it.
 * @param client nothing else may be queried on it until the stream has ended
 */
export function copyOut(client: ClientBase, statement: string): Readable {
  const stream = new CopyOut(statement);
  client.query(stream);
  return stream;
}

/**
 * A stream into a `COPY … FROM STDIN`. Its `finish` means that the server has taken all rows.
 * @param client nothing else may be queried on it until the stream has finished
 */
export function copyIn(client: ClientBase, statement: string): Writable {
  const stream = new CopyIn(statement);
  client.query(stream);
  return stream;
}

class CopyOut extends Readable implements Submittable {
  private connection: CopyConnection | undefined;

  constructor(private readonly statement: string) {
    super();
  }

  submit(connection: Connection): void {
    this.connection = connection as unknown as CopyConnection;
    this.connection.query(this.statement);
  }

  handleCopyData(message: { chunk: Buffer }): void {
    if (this.destroyed) return;
    // The parser reuses the memory of the chunk.
    if (!this.push(Buffer.from(message.chunk))) this.connection?.stream.pause();
  }

  override _read(): void {
    this.connection?.stream.resume();
  }

  /** Nobody reads on: the rest of the answer has to pass before the connection can be used again. */
  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.connection?.stream.resume();
    done(error);
  }

  handleCommandComplete(): void {
    // The end is what follows it: ready for the next query.
  }

  handleReadyForQuery(): void {
    this.push(null);
  }

  handleError(error: Error): void {
    this.destroy(error);
  }
}

class CopyIn extends Writable implements Submittable {
  private connection: CopyConnection | undefined;
  private waiting: (() => void) | undefined;
  private open = false;
  private failed = false;
  private whenReady: (() => void) | undefined;

  constructor(private readonly statement: string) {
    super();
  }

  submit(connection: Connection): void {
    this.connection = connection as unknown as CopyConnection;
    this.connection.query(this.statement);
  }

  handleCopyInResponse(): void {
    this.open = true;
    this.waiting?.();
  }

  override _construct(done: (error?: Error | null) => void): void {
    // Writes wait until the server has said that it takes them.
    if (this.open || this.failed) done();
    else this.waiting = done;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.connection?.sendCopyFromChunk(chunk);
    if (this.connection?.stream.writableNeedDrain) this.connection.stream.once('drain', done);
    else done();
  }

  override _final(done: () => void): void {
    this.open = false;
    this.whenReady = done;
    this.connection?.endCopyFrom();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (this.open) this.connection?.sendCopyFail(error?.message ?? 'given up');
    this.open = false;
    done(error);
  }

  handleCommandComplete(): void {
    // The end is what follows it: ready for the next query.
  }

  handleReadyForQuery(): void {
    this.whenReady?.();
  }

  handleError(error: Error): void {
    this.open = false;
    this.failed = true;
    // Without this a stream that was never opened would wait for its construction for ever.
    this.waiting?.();
    this.destroy(error);
  }
}
