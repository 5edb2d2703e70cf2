type Fault = 'unhandledRejection' | 'uncaughtException';

/** Errors of this process that nobody caught, by kind: shown by /healthz, and there for metrics. */
class ProcessFaults {
  private readonly counts: Record<Fault, number> = { unhandledRejection: 0, uncaughtException: 0 };

  count(kind: Fault): void {
    this.counts[kind] += 1;
  }

  get totals(): Readonly<Record<Fault, number>> {
    return { ...this.counts };
  }
}

/** One for the process, as the events that it counts are the process's. */
export const processFaults = new ProcessFaults();
