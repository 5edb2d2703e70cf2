import { SymphonyError } from '@symphony/model';

/** The embedded database cannot be started, stopped or prepared; the sentence says what to do. */
export class EmbeddedDatabaseError extends SymphonyError {
  constructor(message: string, code = 'EmbeddedDatabaseFailed', options?: ErrorOptions) {
    super(code, 503, message, [], options);
  }
}

/** Another process works on this data directory. */
export class DataDirLockedError extends SymphonyError {
  constructor(dataDir: string, holder: string) {
    super(
      'DataDirLocked',
      503,
      `The data directory ${dataDir} is in use by ${holder}. Stop that one first, or give this one a directory of its own with --data-dir.`,
    );
  }
}

/** The data directory holds a cluster that none of the PostgreSQL programs found here can open. */
export class DatabaseMajorMismatchError extends SymphonyError {
  constructor(message: string) {
    super('DatabaseMajorMismatch', 503, message);
  }
}
