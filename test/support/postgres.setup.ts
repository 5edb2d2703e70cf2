import type { TestProject } from 'vitest/node';
import { startTestServer } from './postgres-server.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** URL of a superuser's connection to the PostgreSQL of this run (`test/support/postgres.ts`). */
    postgresAdminUrl: string;
  }
}

/**
 * One real PostgreSQL for the whole run: the server of SYMPHONY_TEST_DATABASE_URL (a superuser's URL), else a fresh
 * one; SYMPHONY_TEST_POSTGRES=14 takes that version.
 */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const given = process.env['SYMPHONY_TEST_DATABASE_URL'];
  if (given) {
    project.provide('postgresAdminUrl', given);
    return undefined;
  }
  const server = await startTestServer(process.env['SYMPHONY_TEST_POSTGRES'] || undefined);
  project.provide('postgresAdminUrl', server.adminUrl);
  return () => server.stop();
}
