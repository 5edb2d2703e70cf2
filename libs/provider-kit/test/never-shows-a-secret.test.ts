import { assert, constantFrom, pre, property, string } from 'fast-check';
import { expect, it } from 'vitest';
import { REDACTED, redact, redactor } from '@symphony/provider-kit';

const SECRET = 'p"ss\\w/rd $& §1+x';
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const json = (value: unknown): string => JSON.stringify(value);

const WAYS: [string, (secret: string) => string][] = [
  ['plain', (secret) => secret],
  ['inside JSON', (secret) => json({ secret })],
  ['inside JSON inside JSON', (secret) => json({ body: json({ secret }) })],
  ['in JSON with every character escaped', escaped],
  ['in a URL', (secret) => `https://user:${encodeURIComponent(secret)}@host/`],
  [
    'in a URL with small letters',
    (secret) => encodeURIComponent(secret).replaceAll(/%../g, (code) => code.toLowerCase()),
  ],
  ['in a URL where only what must be is escaped', (secret) => encodeURI(secret)],
  ['in a URL where everything is escaped', (secret) => hex(secret).replaceAll(/../g, '%$&')],
  ['in a form', (secret) => new URLSearchParams({ secret, b: '1 2' }).toString()],
  ['in a form within JSON', (secret) => json({ body: new URLSearchParams({ secret }).toString() })],
  ['in JSON within a form', (secret) => new URLSearchParams({ body: json({ secret }) }).toString()],
  ['in hexadecimal digits', hex],
  ['in large hexadecimal digits', (secret) => hex(secret).toUpperCase()],
  ['in base64', base64],
  ['in base64 without padding', (secret) => base64(secret).replaceAll('=', '')],
  ['in base64 for URLs', (secret) => Buffer.from(secret).toString('base64url')],
  ['in base64 within JSON that escapes slashes', (secret) => base64(secret).replaceAll('/', '\\/')],
  ['in base64 in a URL', (secret) => encodeURIComponent(base64(secret))],
  ['in the base64 of JSON', (secret) => base64(json({ user: 'a', secret, more: true }))],
  ['in the base64 of a form', (secret) => base64(new URLSearchParams({ user: 'a', secret }).toString())],
  ['in the base64 of a login', (secret) => `Authorization: Basic ${base64(`admin:${secret}`)}`],
  ['in base64 broken into lines', (secret) => lines(base64(`${'x'.repeat(70)}${secret}${'y'.repeat(70)}`))],
  ['in base64 broken into lines, in JSON', (secret) => json(lines(base64(`${'x'.repeat(70)}${secret}`)))],
];

function hex(text: string): string {
  return Buffer.from(text).toString('hex');
}

function escaped(text: string): string {
  return Array.from({ length: text.length }, (_, i) => text.charCodeAt(i).toString(16).padStart(4, '0'))
    .map((digits) => `\\u${digits}`)
    .join('');
}

function lines(text: string): string {
  return text.replaceAll(/.{76}/g, '$&\n');
}

it.each(WAYS)('a secret goes %s', (_title, write) => {
  const text = redact(`before ${write(SECRET)} after`, [SECRET]);
  expect(text).toContain(REDACTED);
  expect(text.startsWith('before ') && text.endsWith(' after')).toBe(true);
  // Whatever a reader might try: nothing of what is left tells a part of the secret.
  for (const piece of text.split(REDACTED)) expect(readable(piece)).not.toMatch(/ss\W|w\/rd|rd \$|§1/);
});

/** The piece in every way in which it could be read. */
function readable(piece: string): string {
  const runs = piece.match(/[\w+/-]{4,}/g) ?? [];
  const decoded = runs.flatMap((run) =>
    [0, 1, 2, 3].flatMap((skip) => [
      Buffer.from(run.slice(skip), 'base64').toString(),
      Buffer.from(run.slice(skip), 'hex').toString(),
    ]),
  );
  return [piece, ...decoded].join('\n');
}

it.each([0, 1, 2, 3, 4, 5])(
  'a canary is found in base64 behind %i other bytes, whatever follows',
  (before) => {
    for (const canary of ['hunter2', 'canary-7f3a', 'äöü€😀', 'k'.repeat(200)]) {
      for (let after = 0; after < 4; after++) {
        for (const encoding of ['base64', 'base64url'] as const) {
          const whole = Buffer.from(`${'\u001f'.repeat(before)}${canary}${'~'.repeat(after)}`);
          const text = redact(whole.toString(encoding), [canary]);
          expect(text).toContain(REDACTED);
          // Less than two characters on either side: no bit of the canary is left.
          const [left = '', right = ''] = text.split(REDACTED);
          expect(left.length).toBeLessThanOrEqual(Math.floor((before * 8) / 6));
          expect(right.replaceAll('=', '').length).toBeLessThanOrEqual(Math.floor((after * 8) / 6) + 1);
        }
      }
    }
  },
);

it('any secret of some length goes, in every way, and the text around it stays', () => {
  const secrets = string({ minLength: 8, maxLength: 40, unit: 'grapheme' });
  assert(
    property(secrets, constantFrom(...WAYS), (secret, [, write]) => {
      pre(!/^[\s=]|[\s=]$/.test(secret) && Buffer.from(secret).toString() === secret);
      const text = redact(`<${write(secret)}>`, [secret]);
      expect(text).toContain(REDACTED);
      expect(text.startsWith('<') && text.endsWith('>')).toBe(true);
    }),
    { numRuns: 500 },
  );
});

it('goes when another secret is a part of it, or overlaps it', () => {
  expect(redact('abcdef abc', ['abc', 'abcdef'])).toBe(`${REDACTED} ${REDACTED}`);
  expect(redact('abcdef', ['abcd', 'cdef'])).toBe(REDACTED);
  expect(redact('xabababy', ['abab'])).toBe(`x${REDACTED}y`);
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

it('what has no secret in it stays as it is', () => {
  const text = `100% of {"path":"C:\\\\temp\\n"} a+b %zz \\u12 ${base64('harmless harmless')} é😀`;
  expect(redact(text, ['canary-7f3a', 'short'])).toBe(text);
});

it('costs as much as the text is long, not as there are secrets', () => {
  const secrets = (count: number): string[] =>
    Array.from({ length: count }, (_, i) => `canary-${i}-0123456789abcdef`);
  const piece = JSON.stringify({ path: 'C:\\a\\b', query: 'a=%20b+c', text: 'some\nwords '.repeat(50) });
  /** Milliseconds of processor time, which a busy machine lengthens far less than the time. */
  const cost = (count: number, length: number): number => {
    const clean = redactor(secrets(count));
    const text = piece.repeat(length);
    const tries = Array.from({ length: 3 }, () => {
      const before = process.cpuUsage();
      clean(text);
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    });
    return Math.min(...tries);
  };
  cost(1, 100);
  const base = cost(1, 100);
  expect(cost(1, 1000)).toBeLessThan(base * 40 + 50);
  expect(cost(200, 100)).toBeLessThan(base * 20 + 50);
});
