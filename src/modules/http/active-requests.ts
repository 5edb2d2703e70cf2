import type { FastifyReply } from 'fastify';

/** The answers that are still being made, so that an ending process can finish them. */
export class ActiveRequests {
  private readonly replies = new Set<FastifyReply>();
  private wake: (() => void) | undefined;

  add(reply: FastifyReply): void {
    this.replies.add(reply);
    reply.raw.once('close', () => {
      this.replies.delete(reply);
      this.wake?.();
    });
  }

  /** Resolves when no answer is open but event streams, which end only with the process; at the latest in `graceMs`. */
  async settled(graceMs: number): Promise<void> {
    const deadline = performance.now() + graceMs;
    while (this.pending()) {
      const left = deadline - performance.now();
      if (left <= 0) return;
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        timer = setTimeout(resolve, left);
      });
      clearTimeout(timer);
      this.wake = undefined;
    }
  }

  private pending(): boolean {
    return [...this.replies].some(
      (reply) => !String(reply.raw.getHeader('content-type') ?? '').startsWith('text/event-stream'),
    );
  }
}
