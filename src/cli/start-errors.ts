import { SymphonyError } from '@symphony/model';
import { ConfigError } from '../config/errors.js';

/** What to say and which exit code to end with, for an error that kept the process from starting. */
export interface StartFailure {
  /** One sentence that says what to do. */
  sentence: string;
  exitCode: 1 | 2;
  /** True when nobody foresaw this error, so that its stack belongs into the log. */
  unforeseen: boolean;
}

/** Turns whatever stopped the start into one sentence. `where` is what the process listens on. */
export function explainStartError(error: unknown, where: { host: string; port: number }): StartFailure {
  if (error instanceof ConfigError) return { sentence: error.message, exitCode: 2, unforeseen: false };
  if (error instanceof SymphonyError) return { sentence: error.message, exitCode: 1, unforeseen: false };
  const { code, syscall } = error as NodeJS.ErrnoException;
  const known = syscall === 'listen' || syscall === 'getaddrinfo' ? listenSentence(code, where) : undefined;
  if (known) return { sentence: known, exitCode: 1, unforeseen: false };
  const text = error instanceof Error ? error.message : String(error);
  return { sentence: `The engine could not start: ${text.split('\n')[0]}`, exitCode: 1, unforeseen: true };
}

function listenSentence(
  code: string | undefined,
  { host, port }: { host: string; port: number },
): string | undefined {
  switch (code) {
    case 'EADDRINUSE':
      return `Port ${port} on ${host} is in use by another process: stop that process, or choose another port with --port.`;
    case 'EACCES':
      return `This user may not listen on port ${port}: choose a port above 1023 with --port.`;
    case 'EADDRNOTAVAIL':
      return `${host} is not an address of this machine: choose one with --host.`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `The host name ${host} cannot be resolved: give an address of this machine with --host.`;
    default:
      return undefined;
  }
}
