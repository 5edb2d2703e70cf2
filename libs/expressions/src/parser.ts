import type { Expression, Link, Node, Operator } from './ast.js';
import { excerpt, ExpressionError } from './errors.js';
import { defaultLimits } from './limits.js';
import { type Token, tokenize } from './tokenizer.js';

/** How tightly an operator binds: two levels, as in the original language. */
const bindingPower: Readonly<Record<Operator, number>> = {
  '+': 1,
  '-': 1,
  ',': 1,
  '*': 2,
  '/': 2,
  '\\': 2,
  '.': 2,
  ':': 2,
  '?': 2,
  '=': 2,
  '~': 2,
  '&': 2,
};
const lowest = 1;
const highest = 2;
const empty: Node = { kind: 'empty' };

function isOperator(kind: string): kind is Operator {
  return Object.hasOwn(bindingPower, kind);
}

/** Parses the text between `${{` and `}}`. Throws ExpressionError: ExpressionSyntax, ExpressionTooDeep. */
export function parseExpression(source: string): Expression {
  return new Parser(source).expression();
}

/** A Pratt parser: `level(n)` reads what binds at least as tightly as n, `operand` reads the rest. */
class Parser {
  private readonly tokens: readonly Token[];
  private position = 0;
  private depth = 0;

  constructor(private readonly source: string) {
    this.tokens = tokenize(source.trim());
  }

  /**
   * Parts until the end. Between two parts exactly one word is skipped: that is how the language reads words
   * side by side (`abc def` is `abc`), and deployed templates rely on it. Anything but a word is an error.
   */
  expression(): Expression {
    const parts: Node[] = [];
    while (this.peek().kind !== 'end') {
      const part = this.level(lowest, true);
      if (part.kind === 'empty') throw this.unexpected();
      parts.push(part);
      const next = this.peek().kind;
      if (next === 'end') break;
      if (next !== 'word' && next !== 'number') throw this.unexpected();
      this.position += 1;
    }
    return { source: this.source, parts };
  }

  private level(power: number, commaJoins: boolean): Node {
    let left = power === highest ? this.operand() : this.level(power + 1, commaJoins);
    let links: Link[] = [];
    for (;;) {
      const token = this.peek();
      if (power === lowest && token.kind === '(') {
        // `name(x)` is x: what stands before the parenthesis is dropped, also as in the original.
        left = this.group();
        links = [];
      } else if (
        isOperator(token.kind) &&
        bindingPower[token.kind] === power &&
        (commaJoins || token.kind !== ',')
      ) {
        this.position += 1;
        const operand = power === highest ? this.operand() : this.level(power + 1, commaJoins);
        links.push({ operator: token.kind, operand });
      } else {
        return links.length === 0 ? left : { kind: 'chain', first: left, rest: links };
      }
    }
  }

  private operand(): Node {
    const token = this.peek();
    switch (token.kind) {
      case 'number':
        this.position += 1;
        return numberNode(token.text);
      case 'word':
        this.position += 1;
        return { kind: 'text', value: withoutQuotes(token.text) };
      case '+':
      case '-':
        this.position += 1;
        return { kind: 'sign', operator: token.kind, operand: this.nested(() => this.operand()) };
      case '(':
        return this.group();
      case '[':
        return { kind: 'brackets', open: '[', close: ']', inner: this.brackets('[', ']') };
      case '{':
        return { kind: 'brackets', open: '{', close: '}', inner: this.brackets('{', '}') };
      case '$':
        return this.call();
      default:
        return empty;
    }
  }

  private group(): Node {
    const inner = this.brackets('(', ')');
    return inner.kind === 'empty' ? { kind: 'text', value: '' } : inner;
  }

  private brackets(open: '(' | '[' | '{', close: ')' | ']' | '}'): Node {
    this.expect(open);
    const inner = this.nested(() => this.level(lowest, true));
    this.expect(close);
    return inner;
  }

  private call(): Node {
    this.expect('$');
    const name = this.peek();
    if (name.kind === '{')
      throw this.error('expressions do not nest: write the inner one without its own ${{ }}');
    if (name.kind !== 'word') throw this.unexpected('a function name after $');
    this.position += 1;
    this.expect('(');
    const args: Node[] = [];
    while (this.peek().kind !== ')') {
      const argument = this.nested(() => this.level(lowest, false));
      if (argument.kind === 'empty') throw this.unexpected('an argument');
      args.push(argument);
      if (this.peek().kind === ')') break;
      this.expect(',');
    }
    this.expect(')');
    return { kind: 'call', name: name.text, args };
  }

  private nested(read: () => Node): Node {
    this.depth += 1;
    if (this.depth > defaultLimits.expressionDepth) {
      throw new ExpressionError(
        'ExpressionTooDeep',
        `The expression \${{${excerpt(this.source)}}} is nested more than ${defaultLimits.expressionDepth} levels deep; simplify it.`,
      );
    }
    const node = read();
    this.depth -= 1;
    return node;
  }

  private peek(): Token {
    return this.tokens[this.position] ?? { kind: 'end', text: '', offset: this.source.length };
  }

  private expect(kind: Token['kind']): void {
    if (this.peek().kind !== kind) throw this.unexpected(kind);
    this.position += 1;
  }

  private unexpected(wanted = 'a value'): ExpressionError {
    const token = this.peek();
    const found =
      token.kind === 'end' ? 'the end' : `"${excerpt(token.text)}" at character ${token.offset + 1}`;
    return this.error(
      `expected ${wanted}, found ${found}; put text with special characters in single quotes`,
    );
  }

  private error(message: string): ExpressionError {
    return new ExpressionError('ExpressionSyntax', `In \${{${excerpt(this.source)}}}: ${message}.`);
  }
}

/** Only single quotes are quotes; double quotes and back-ticks stay part of the value, as in the original. */
function withoutQuotes(text: string): string {
  return text.length >= 2 && text.startsWith("'") && text.endsWith("'") ? text.slice(1, -1) : text;
}

/** Decimal digits are an integer of any size; other forms (`0x1F`), and absurdly long ones, stay text. */
function numberNode(text: string): Node {
  if (!/^\d+(_\d+)*$/.test(text) || text.length > defaultLimits.digits) return { kind: 'text', value: text };
  const exact = BigInt(text.replaceAll('_', ''));
  const value = exact <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(exact) : exact;
  return { kind: 'integer', value, source: text };
}
