import { storableText } from '@symphony/model';

/** A text to look for. */
export interface Needle {
  text: string;
  /** Characters before and after it that hold a part of the secret too. */
  before: 0 | 1;
  after: 0 | 1;
}

/** Encoded forms of fewer bytes would match by chance. */
const MIN_ENCODED_BYTES = 5;
/** Lines of a longer secret that are shorter than this say nothing by themselves. */
const MIN_LINE = 8;

/** The secret itself, and single lines of one that has several. */
export function plainForms(secret: string): Needle[] {
  const lines = secret.split(/\r?\n/);
  // A lone surrogate cannot be encoded, and no store keeps NUL; what stands for them then is the replacement character.
  const others = new Set([Buffer.from(secret, 'utf8').toString('utf8'), storableText(secret)]);
  others.delete(secret);
  return [
    secret,
    ...(secret.length > 1 ? others : []),
    ...(lines.length > 1 ? lines.filter((line) => line.length >= MIN_LINE) : []),
  ].map(exactly);
}

/** The secret in base64 and hexadecimal digits, alone or within a longer text that was encoded as a whole. */
export function encodedForms(secret: string): Needle[] {
  const wellFormed = Buffer.from(secret, 'utf8').toString('utf8');
  // What was encoded may have been JSON, a URL or a form.
  const contents = new Set([
    wellFormed,
    JSON.stringify(wellFormed).slice(1, -1),
    encodeURIComponent(wellFormed),
    new URLSearchParams({ s: wellFormed }).toString().slice('s='.length),
  ]);
  return [...contents].flatMap((content) => {
    const bytes = Buffer.from(content, 'utf8');
    if (bytes.length < MIN_ENCODED_BYTES) return [];
    const hex = bytes.toString('hex');
    return [exactly(hex), exactly(hex.toUpperCase()), ...base64Forms(bytes)];
  });
}

/**
 * In base64 three bytes become four characters, so a text inside a longer one looks different at each of three alignments.
 * Each form is what does not depend on the neighbours; the character on either side may hold some bits of the secret too.
 */
function base64Forms(bytes: Buffer): Needle[] {
  return [0, 1, 2].flatMap((offset): Needle[] => {
    const bits = 8 * (offset + bytes.length);
    const encoded = Buffer.concat([Buffer.alloc(offset), bytes]).toString('base64');
    const text = encoded.slice(offset === 0 ? 0 : offset + 1, Math.floor(bits / 6));
    const needle: Needle = { text, before: offset === 0 ? 0 : 1, after: bits % 6 === 0 ? 0 : 1 };
    const urlSafe = text.replaceAll('+', '-').replaceAll('/', '_');
    return urlSafe === text ? [needle] : [needle, { ...needle, text: urlSafe }];
  });
}

function exactly(text: string): Needle {
  return { text, before: 0, after: 0 };
}
