import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';

/**
 * `<pod>_<process id>_<eight digits>`: names one process for ever. Pod and process id alone do not: a container that was
 * restarted has the same pod and mostly the same process id, 1, and must wait for its predecessor's lease like all others.
 */
export function processIdentity(env: NodeJS.ProcessEnv = process.env): string {
  return `${env.POD_NAME ?? hostname()}_${process.pid}_${randomUUID().slice(0, 8)}`;
}
