import type { Readable } from 'node:stream';

/** Keeps the last bytes that a stream delivers, and reads on without keeping more. */
export class TailCapture {
  private chunks: Buffer[] = [];
  private size = 0;
  private dropped = false;

  constructor(
    private readonly stream: Readable,
    private readonly limit: number,
  ) {
    stream.on('data', (chunk: Buffer) => this.add(chunk));
    // A broken pipe of a program says nothing that its exit does not say.
    stream.on('error', () => undefined);
  }

  /** Resolves when the stream has ended. */
  get ended(): Promise<void> {
    const { stream } = this;
    return stream.closed ? Promise.resolve() : new Promise((resolve) => void stream.once('close', resolve));
  }

  /** Stops reading; a program that still writes gets a broken pipe. */
  release(): void {
    this.stream.destroy();
  }

  /**
   * What was kept. When something was dropped it begins with a whole line, and is empty when there is none: half a
   * secret could not be recognised.
   */
  get text(): string {
    const text = Buffer.concat(this.chunks).subarray(-this.limit).toString('utf8');
    if (!this.dropped) return text;
    const lineEnd = text.indexOf('\n');
    return lineEnd === -1 ? '' : text.slice(lineEnd + 1);
  }

  private add(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.size += chunk.length;
    if (this.size <= this.limit) return;
    this.dropped = true;
    if (this.size < 2 * this.limit) return;
    this.chunks = [Buffer.concat(this.chunks).subarray(-this.limit)];
    this.size = this.limit;
  }
}
