/** What stands in the place of a secret. */
export const REDACTED = '•••';

/** Lines of a longer secret that are shorter than this say nothing by themselves. */
const MIN_LINE = 8;

/**
 * Replaces every occurrence of each secret: plain, inside JSON, percent-encoded, in base64, and single lines of a secret
 * of several lines. However short a secret is, it goes: an unreadable message is better than a leak.
 */
export function redact(text: string, secrets: readonly string[]): string {
  return redactor(secrets)(text);
}

/** The same as a function, for many texts and the same secrets. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const forms = new Set<string>();
  for (const secret of secrets) {
    if (secret === '') continue;
    for (const form of formsOf(secret)) forms.add(form);
  }
  // The longest first: a secret may contain another one.
  const ordered = [...forms].sort((a, b) => b.length - a.length);
  return (text) => ordered.reduce((result, form) => result.replaceAll(form, () => REDACTED), text);
}

function formsOf(secret: string): string[] {
  const base64 = Buffer.from(secret, 'utf8').toString('base64');
  const lines = secret.split(/\r?\n/);
  // A lone surrogate cannot be percent-encoded; what a URL would carry instead is the replacement character.
  const wellFormed = Buffer.from(secret, 'utf8').toString('utf8');
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(wellFormed),
    // Short ones would match by chance all over the text.
    ...(secret.length >= MIN_LINE ? [base64, base64.replaceAll('=', '')] : []),
    ...(lines.length > 1 ? lines.filter((line) => line.length >= MIN_LINE) : []),
  ];
}
