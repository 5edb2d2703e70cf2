export {
  EmbeddedPostgres,
  type EmbeddedConnection,
  type EmbeddedOptions,
  type UnexpectedExit,
} from './embedded-postgres.js';
export { DatabaseMajorMismatchError, DataDirLockedError, EmbeddedDatabaseError } from './errors.js';
export type { Log } from './postgres-process.js';
export { backupDatabase, type BackupSummary } from './backup/backup.js';
export { restoreDatabase, type RestoreOptions } from './backup/restore.js';
export type { BackupHeader } from './backup/format.js';
