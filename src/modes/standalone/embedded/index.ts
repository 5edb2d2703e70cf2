export { backupDatabase } from './backup/backup.js';
export { restoreDatabase } from './backup/restore.js';
export { EmbeddedPostgres } from './embedded-postgres.js';
export { DatabaseMajorMismatchError, DataDirLockedError } from './errors.js';
export type { Log } from './postgres-process.js';
