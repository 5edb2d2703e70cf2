import { endOf, messageOf } from '@symphony/model';
import { redactor } from '@symphony/provider-kit';
import { ENV_PREFIX } from './declaration.js';

/** How much of a container's log a message quotes. */
const QUOTED = 2_000;
/** Shorter values are words of everyday texts. */
const MIN_ENV = 6;

export type Redact = (text: string) => string;

/** Takes secrets out of what an engine says, and the longer values of the environment, which may be secrets too. */
export function engineRedactor(redact: Redact | undefined, env: readonly string[]): Redact {
  const values = env
    .map((entry) => entry.slice(entry.indexOf('=') + 1))
    .filter((value) => value.length >= MIN_ENV);
  const own = redactor(values);
  return (text) => own(redact ? redact(text) : text);
}

export function envOf(properties: Readonly<Record<string, unknown>> | undefined): string[] {
  return Object.entries(properties ?? {})
    .filter(([key]) => key.startsWith(ENV_PREFIX))
    .map(([key, value]) => `${key}=${String(value)}`);
}

/** What went wrong, in the engine's own words, without secrets. */
export function engineWords(error: unknown, redact: Redact): string {
  return redact(messageOf(error)).trim();
}

/** A sentence and the last lines of a log. Redacted as a whole before it is cut, so that no part of a secret is left. */
export function withLog(sentence: string, log: string, redact: Redact): string {
  const words = redact(log).trim();
  if (words === '') return redact(sentence);
  return `${redact(sentence)} Its last lines: ${endOf(words, QUOTED)}`;
}
