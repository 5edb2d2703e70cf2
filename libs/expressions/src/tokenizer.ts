/** The characters that stand for themselves in the grammar; every other character is a word. */
type Punctuation =
  | '$'
  | '('
  | ')'
  | '['
  | ']'
  | '{'
  | '}'
  | '+'
  | '-'
  | '*'
  | '/'
  | '\\'
  | ','
  | '.'
  | ':'
  | '?'
  | '='
  | '&'
  | '~';

export type Token =
  | { readonly kind: 'end'; readonly text: ''; readonly offset: number }
  | { readonly kind: Punctuation; readonly text: string; readonly offset: number }
  /** A literal that starts with a digit: `12`, `007`, `1_000`, `0x1F`. */
  | { readonly kind: 'number'; readonly text: string; readonly offset: number }
  /** An identifier, a quoted text with its quotes, or a character that the grammar gives no meaning. */
  | { readonly kind: 'word'; readonly text: string; readonly offset: number };

const punctuation = new Set('$()[]{}+-*/\\,.:?=&~');
const whitespace = /[ \t\r\n]+/y;
const number = /0[xX][0-9a-fA-F_]*|0[bBoO][0-9_]*|[0-9][0-9_]*/y;
const identifier = /[\p{L}_][\p{L}\p{Nd}_]*/uy;

/**
 * The end (exclusive) of the quoted text that starts at `start`, or undefined when it is not closed. Single and
 * double quotes end at a line break and know backslash escapes; back-ticks do neither.
 */
export function endOfQuoted(text: string, start: number): number | undefined {
  const quote = text[start];
  for (let at = start + 1; at < text.length; at += 1) {
    const character = text[at];
    if (character === quote) return at + 1;
    if (quote === '`') continue;
    if (character === '\n') return undefined;
    if (character === '\\' && text[at + 1] !== '\n') at += 1;
  }
  return undefined;
}

export function isQuote(character: string | undefined): boolean {
  return character === "'" || character === '"' || character === '`';
}

function isPunctuation(character: string): character is Punctuation {
  return punctuation.has(character);
}

function match(pattern: RegExp, text: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text)?.[0];
}

/** An unclosed quote takes the rest of its line, as the language always did: `'abc def` is a text. */
function quoted(text: string, at: number): string {
  const end = endOfQuoted(text, at);
  if (end !== undefined) return text.slice(at, end);
  const lineEnd = text.indexOf('\n', at);
  return lineEnd === -1 || text[at] === '`' ? text.slice(at) : text.slice(at, lineEnd);
}

/** Cuts the text of one expression into tokens; the last one is `end`. Never fails: odd characters are words. */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const space = match(whitespace, text, at);
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    const token = tokenAt(text, at);
    tokens.push(token);
    at += token.text.length;
  }
  tokens.push({ kind: 'end', text: '', offset: text.length });
  return tokens;
}

function tokenAt(text: string, offset: number): Token {
  const character = String.fromCodePoint(text.codePointAt(offset) ?? 0);
  if (isPunctuation(character)) return { kind: character, text: character, offset };
  if (isQuote(character)) return { kind: 'word', text: quoted(text, offset), offset };
  const digits = match(number, text, offset);
  if (digits !== undefined) return { kind: 'number', text: digits, offset };
  return { kind: 'word', text: match(identifier, text, offset) ?? character, offset };
}
