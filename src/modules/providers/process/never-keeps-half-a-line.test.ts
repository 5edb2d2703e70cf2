import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { TailCapture } from './capture.js';

async function capture(limit: number, ...chunks: string[]): Promise<string> {
  const stream = new PassThrough();
  const tail = new TailCapture(stream, limit);
  for (const chunk of chunks) stream.write(chunk);
  stream.end();
  await tail.ended;
  return tail.text;
}

it('keeps everything up to the limit', async () => {
  expect(await capture(10, '01234', '56789')).toBe('0123456789');
  expect(await capture(10)).toBe('');
});

it('begins with a whole line once something was dropped', async () => {
  expect(await capture(12, 'a secret\n', 'one\n', 'two\n')).toBe('one\ntwo\n');
  expect(await capture(8, ...Array.from({ length: 100 }, (_, line) => `l${line}\n`))).toBe('l99\n');
});

it('keeps nothing of a single line that is too long', async () => {
  expect(await capture(8, 'secret'.repeat(10))).toBe('');
});

it('keeps reading, so that a program that floods its output does not get stuck', async () => {
  const text = await capture(64, ...Array.from({ length: 1_000 }, () => 'x'.repeat(1_000)), '\nthe end\n');
  expect(text).toBe('the end\n');
});
