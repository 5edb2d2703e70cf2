import { Inject, Injectable, Logger } from '@nestjs/common';
import { Cron } from '@nestjs/schedule';
import { messageOf } from '@symphony/model';
import { RunHistory } from './run-history.js';

export interface HousekeepingOptions {
  /** Milliseconds. */
  maxAge: number;
  maxRunsPerObject: number;
}

export const HOUSEKEEPING_OPTIONS = Symbol('HousekeepingOptions');

/** Prunes history. Every replica does it; deleting what is gone already harms nobody. */
@Injectable()
export class Housekeeping {
  private readonly logger = new Logger(Housekeeping.name);

  constructor(
    private readonly history: RunHistory,
    @Inject(HOUSEKEEPING_OPTIONS) private readonly options: HousekeepingOptions,
  ) {}

  @Cron('17 */10 * * * *', { waitForCompletion: true })
  async prune(): Promise<void> {
    try {
      const gone = await this.history.prune(this.options.maxAge, this.options.maxRunsPerObject);
      if (gone > 0) this.logger.log(`Pruned ${gone} runs from the history.`);
    } catch (error) {
      this.logger.warn(`The history was not pruned; it is tried again in ten minutes: ${messageOf(error)}`);
    }
  }
}
