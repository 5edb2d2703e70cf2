import { type BeforeApplicationShutdown, Injectable, Logger } from '@nestjs/common';
import { SymphonyError } from '@symphony/model';

const CHECK_DEADLINE_MS = 2000;

/**
 * Tells whether one thing is ready: resolves when it is (with more to say, or nothing), resolves with a sentence that says why it is
 * not, or rejects. `signal` is aborted at the check's deadline.
 */
export type ReadinessCheck = (signal: AbortSignal) => Promise<void | string | ReadyWith>;

/** It is ready, and anybody may know this beside. */
export interface ReadyWith {
  detail: string;
}

export interface CheckResult {
  name: string;
  ready: boolean;
  /** Why it is not ready. */
  reason?: string;
  /** More about what is ready. */
  detail?: string;
  durationMs: number;
}

export interface Readiness {
  ready: boolean;
  checks: CheckResult[];
}

/** Where the modules say what must work before this process should get requests. */
@Injectable()
export class ReadinessRegistry implements BeforeApplicationShutdown {
  private readonly logger = new Logger('Readiness');
  private readonly checks = new Map<string, ReadinessCheck>();
  private running: Promise<Readiness> | undefined;
  private ending = false;

  /**
   * Adds a check; its name is shown to callers.
   * @returns a function that takes it away.
   */
  register(name: string, check: ReadinessCheck): () => void {
    if (this.checks.has(name)) throw new Error(`There is already a readiness check "${name}"`);
    this.checks.set(name, check);
    return () => void this.checks.delete(name);
  }

  /** Runs all checks at once. Callers at the same time share one round: /readyz is open to everybody. */
  async check(): Promise<Readiness> {
    this.running ??= this.runAll().finally(() => (this.running = undefined));
    return this.running;
  }

  beforeApplicationShutdown(): void {
    this.ending = true;
  }

  private async runAll(): Promise<Readiness> {
    const checks = await Promise.all([...this.checks].map(([name, check]) => this.runOne(name, check)));
    if (this.ending)
      checks.push({ name: 'process', ready: false, reason: 'The process is ending', durationMs: 0 });
    return { ready: checks.every(({ ready }) => ready), checks };
  }

  private async runOne(name: string, check: ReadinessCheck): Promise<CheckResult> {
    const started = performance.now();
    const outcome = await this.outcomeOf(name, check);
    const durationMs = Math.round(performance.now() - started);
    return typeof outcome === 'string'
      ? { name, ready: false, reason: outcome, durationMs }
      : { name, ready: true, ...outcome, durationMs };
  }

  private async outcomeOf(name: string, check: ReadinessCheck): Promise<string | ReadyWith | undefined> {
    const deadline = new AbortController();
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<string>((resolve) => {
      timer = setTimeout(() => {
        deadline.abort();
        resolve(`No answer within ${CHECK_DEADLINE_MS / 1000} seconds`);
      }, CHECK_DEADLINE_MS);
    });
    try {
      // Inside an async function, so that a check that throws at once is caught like one that rejects.
      return (await Promise.race([(async () => check(deadline.signal))(), late])) ?? undefined;
    } catch (error) {
      this.logger.warn({ msg: 'A readiness check failed', check: name, err: error });
      // Anybody may read this: only sentences that were written for users are shown.
      return error instanceof SymphonyError ? error.message : 'The check failed; the log says why';
    } finally {
      clearTimeout(timer);
    }
  }
}
