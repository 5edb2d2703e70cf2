import { expect, it } from 'vitest';
import { REDACTED, redact } from '@symphony/provider-kit';

it.each([
  ['plain', (secret: string) => secret],
  ['inside JSON', (secret: string) => JSON.stringify({ secret })],
  ['in a URL', (secret: string) => `https://user:${encodeURIComponent(secret)}@host/`],
  ['in base64', (secret: string) => Buffer.from(secret).toString('base64')],
])('a secret goes %s', (_title, write) => {
  const secret = 'p"ss\\w/rd $& §1';
  const text = redact(`before ${write(secret)} after`, [secret]);
  expect(text).toContain(REDACTED);
  expect(text).not.toContain('ss\\');
  expect(text.startsWith('before ') && text.endsWith(' after')).toBe(true);
});

it('goes when another secret is a part of it', () => {
  expect(redact('abcdef abc', ['abc', 'abcdef'])).toBe(`${REDACTED} ${REDACTED}`);
});

it('goes line by line when a program prints one line of a key', () => {
  const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nAbc=\n-----END KEY-----\n';
  expect(redact('bad line: MIIEvQIBADANBgkq', [key])).toBe(`bad line: ${REDACTED}`);
});

it('goes however short it is, and an empty one changes nothing', () => {
  expect(redact('pin 7', ['7'])).toBe(`pin ${REDACTED}`);
  expect(redact('text', [''])).toBe('text');
  expect(redact('text', ['\ud800'])).toBe('text');
});
