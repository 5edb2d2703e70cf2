/** A text as it reads with its escapes resolved; every place in it is known in the text that it came from. */
export interface View {
  readonly text: string;
  /** The span of the source in which the span `from` to `to` of the view is written. */
  spanOf(from: number, to: number): readonly [number, number];
}

interface Escape {
  readonly pattern: RegExp;
  /** Cheap test: without one of these characters there is no escape. */
  readonly sign: readonly string[];
  readonly decode: (token: string) => string;
}

const JSON_ESCAPE: Escape = {
  sign: ['\\'],
  pattern: /\\(?:u[0-9a-fA-F]{4}|["\\/bfnrt])/g,
  decode: (token) => JSON.parse(`"${token}"`) as string,
};

const PERCENT: Escape = {
  sign: ['%'],
  pattern: /(?:%[0-9a-fA-F]{2})+/g,
  decode: (token) => Buffer.from(token.replaceAll('%', ''), 'hex').toString('utf8'),
};

/** A form, which writes a space as `+`. */
const FORM: Escape = {
  sign: ['+', '%'],
  pattern: /(?:%[0-9a-fA-F]{2})+|\+/g,
  decode: (token) => (token === '+' ? ' ' : PERCENT.decode(token)),
};

/** With the indentation of the next line. */
const LINE_BREAKS = /(?:[\r\n]|\\[nr])(?:\s|\\[nr])*/g;

/** An escape within an escape (JSON in a JSON string, JSON in a form) is as deep as messages of programs nest. */
const DEPTH = 2;

/** The text as it is, and with its escapes resolved in each way that applies. */
export function decodedViews(text: string): View[] {
  const plain: View = { text, spanOf: (from, to) => [from, to] };
  const views = new Map([[text, plain]]);
  let latest = [plain];
  for (let depth = 0; depth < DEPTH; depth++) {
    const next = latest.flatMap((view) =>
      [JSON_ESCAPE, PERCENT, FORM].map((escape) => decoded(view, escape)),
    );
    latest = next.filter((view): view is View => view !== undefined && !views.has(view.text));
    for (const view of latest) views.set(view.text, view);
  }
  return [...views.values()];
}

function decoded(view: View, { sign, pattern, decode }: Escape): View | undefined {
  return sign.some((char) => view.text.includes(char)) ? viewBy(view, pattern, decode) : undefined;
}

/** As one line, for what was broken into several; undefined where it is one. */
export function joinedView(view: View): View | undefined {
  return viewBy(view, LINE_BREAKS, () => '');
}

function viewBy(source: View, pattern: RegExp, decode: (token: string) => string): View | undefined {
  /** By token: where its decoded text begins and ends in the view, and where it stands in the source. */
  const tokens: { from: number; to: number; start: number; end: number }[] = [];
  let text = '';
  let read = 0;
  for (const match of source.text.matchAll(pattern)) {
    const [token] = match;
    text += source.text.slice(read, match.index);
    const from = text.length;
    text += decode(token);
    read = match.index + token.length;
    tokens.push({ from, to: text.length, start: match.index, end: read });
  }
  if (tokens.length === 0) return undefined;
  text += source.text.slice(read);
  /** The last token that begins at or before this place of the view. */
  const tokenBefore = (at: number): (typeof tokens)[number] | undefined => {
    let [low, high] = [0, tokens.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((tokens[middle]?.from ?? Infinity) <= at) low = middle + 1;
      else high = middle;
    }
    return tokens[low - 1];
  };
  const sourceOf = (at: number, side: 'start' | 'end'): number => {
    const token = tokenBefore(at);
    if (!token) return at;
    return at < token.to ? token[side] : token.end + (at - token.to);
  };
  return {
    text,
    spanOf: (from, to) => source.spanOf(sourceOf(from, 'start'), sourceOf(to - 1, 'end') + endOf(to - 1)),
  };

  /** An ordinary character ends one further than it starts; a token knows its end. */
  function endOf(at: number): number {
    const token = tokenBefore(at);
    return token && at < token.to ? 0 : 1;
  }
}
