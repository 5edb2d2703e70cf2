import { decodedViews, joinedView, type View } from './decoded-views.js';
import { NeedleSearch } from './needle-search.js';
import { encodedForms, plainForms, type Needle } from './secret-forms.js';

/** What stands in the place of a secret. */
export const REDACTED = '•••';

/**
 * Replaces every occurrence of each secret: plain, escaped as in JSON or a URL, and in base64 or hexadecimal digits, also
 * where a longer text was encoded that contains it; and single lines of a secret of several lines. However short a secret
 * is, it goes: an unreadable message is better than a leak.
 *
 * The cost is that of one pass over the text, and over what its escapes stand for, however many secrets there are.
 */
export function redact(text: string, secrets: readonly string[]): string {
  return redactor(secrets)(text);
}

/** The same as a function, for many texts and the same secrets. */
export function redactor(secrets: readonly string[]): (text: string) => string {
  const known = [...new Set(secrets)].filter((secret) => secret !== '');
  if (known.length === 0) return (text) => text;
  const encoded = distinct(known.flatMap(encodedForms));
  const all = new NeedleSearch([...distinct(known.flatMap(plainForms)), ...encoded]);
  const broken = new NeedleSearch(encoded);
  return (text) => {
    const spans: Span[] = [];
    for (const view of decodedViews(text)) {
      find(view, all, spans);
      const joined = encoded.length > 0 ? joinedView(view) : undefined;
      if (joined) find(joined, broken, spans);
    }
    return spans.length === 0 ? text : masked(text, spans);
  };
}

type Span = readonly [from: number, to: number];

function distinct(needles: readonly Needle[]): Needle[] {
  return [...new Map(needles.map((needle) => [JSON.stringify(Object.values(needle)), needle])).values()];
}

function find(view: View, search: NeedleSearch, spans: Span[]): void {
  const { text } = view;
  search.each(text, (needle, at) => {
    const end = at + needle.text.length;
    const from = at > 0 && isEncoded(text, at - 1) ? at - needle.before : at;
    const to = end < text.length && isEncoded(text, end) ? end + needle.after : end;
    spans.push(view.spanOf(from, to));
  });
}

/** Whether the character may belong to a text in base64. */
function isEncoded(text: string, at: number): boolean {
  return /[A-Za-z0-9+/_-]/.test(text.charAt(at));
}

/** Occurrences may overlap, as one secret may contain another or the end of one may be the begin of another. */
function masked(text: string, spans: Span[]): string {
  spans.sort(([a], [b]) => a - b);
  let result = '';
  let read = 0;
  for (const [from, to] of spans) {
    if (from > read || read === 0) result += text.slice(read, from) + REDACTED;
    read = Math.max(read, to);
  }
  return result + text.slice(read);
}
