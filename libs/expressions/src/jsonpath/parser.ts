import { normalise } from '../arithmetic.js';
import { excerpt, ExpressionError } from '../errors.js';
import type { FilterOperand, FilterOperator, FilterTest, Step } from './path.js';

/** Filters within filters; a path is short, so this is about hostile input only. */
const maxFilterDepth = 8;
const maxLength = 10_000;
const nameEnd = new Set(' \t\r\n.[]{}(),=!<>\'"');

/**
 * Parses a path of the Kubernetes dialect: braces around it, `$` and the first dot are optional.
 * Throws ExpressionInvalidPath with the place of the mistake.
 */
export function parsePath(text: string): readonly Step[] {
  return new PathParser(text).whole();
}

class PathParser {
  private readonly text: string;
  private at = 0;
  private filterDepth = 0;

  constructor(original: string) {
    const trimmed = original.trim();
    const braced = trimmed.startsWith('{') && trimmed.endsWith('}');
    this.text = braced ? trimmed.slice(1, -1).trim() : trimmed;
    if (this.text.length > maxLength) throw this.error(`it is longer than ${maxLength} characters`);
  }

  whole(): readonly Step[] {
    if (!this.take('$')) this.take('@');
    const steps = this.at === 0 && isNameStart(this.text[0]) ? [this.field()] : [];
    steps.push(...this.steps());
    if (this.at < this.text.length) throw this.unexpected('a dot or a bracket');
    return steps;
  }

  private steps(): Step[] {
    const steps: Step[] = [];
    for (;;) {
      if (this.take('..')) {
        steps.push({ kind: 'descend' });
        if (this.text[this.at] !== '[') steps.push(this.fieldOrEvery());
      } else if (this.take('.')) {
        const next = this.text[this.at];
        if (next === '*' || isNameStart(next)) steps.push(this.fieldOrEvery());
        else if (next !== '[' && steps.length > 0) throw this.unexpected('a name');
      } else if (this.take('[')) {
        steps.push(this.bracket());
      } else {
        return steps;
      }
    }
  }

  private fieldOrEvery(): Step {
    return this.take('*') ? { kind: 'every' } : this.field();
  }

  private field(): Step {
    let name = '';
    for (; this.at < this.text.length; this.at += 1) {
      let character = this.text[this.at] ?? '';
      if (character === '\\') {
        this.at += 1;
        character = this.text[this.at] ?? '';
      } else if (nameEnd.has(character)) break;
      name += character;
    }
    if (name === '') throw this.unexpected('a name');
    return { kind: 'field', name };
  }

  private bracket(): Step {
    const members: Step[] = [];
    do {
      this.space();
      members.push(this.member());
      this.space();
    } while (this.take(','));
    this.expect(']');
    const [only] = members;
    return members.length === 1 && only ? only : { kind: 'union', members };
  }

  private member(): Step {
    if (this.take('*')) return { kind: 'every' };
    if (this.take('?')) return this.filter();
    const quoted = this.quoted();
    if (quoted !== undefined) return { kind: 'field', name: quoted };
    const start = this.integer();
    if (!this.take(':')) {
      if (start === undefined) throw this.unexpected('a quoted name, an index, * or ?()');
      return { kind: 'index', index: start };
    }
    const end = this.integer();
    const by = this.take(':') ? (this.integer() ?? 1) : 1;
    if (by <= 0) throw this.error('the step of a slice must be 1 or more');
    return { kind: 'slice', start, end, by };
  }

  private filter(): Step {
    this.filterDepth += 1;
    if (this.filterDepth > maxFilterDepth) throw this.error('its filters are nested too deep');
    this.expect('(');
    this.space();
    const left = this.operand();
    this.space();
    const test = this.test();
    this.space();
    this.expect(')');
    this.filterDepth -= 1;
    return { kind: 'filter', left, ...(test && { test }) };
  }

  private test(): FilterTest | undefined {
    const operators: readonly FilterOperator[] = ['==', '!=', '<=', '>=', '<', '>'];
    const operator = operators.find((candidate) => this.take(candidate));
    if (operator === undefined) return undefined;
    this.space();
    return { operator, right: this.operand() };
  }

  private operand(): FilterOperand {
    if (this.take('@')) return { kind: 'path', fromRoot: false, steps: this.steps() };
    if (this.take('$')) return { kind: 'path', fromRoot: true, steps: this.steps() };
    const quoted = this.quoted();
    if (quoted !== undefined) return { kind: 'literal', value: quoted };
    const number = this.match(/-?\d+(\.\d+)?([eE][+-]?\d+)?/y);
    if (number !== undefined) return { kind: 'literal', value: numberOf(number) };
    const word = this.match(/(true|false)\b/y);
    if (word !== undefined) return { kind: 'literal', value: word === 'true' };
    throw this.unexpected('@, a quoted text, a number, true or false');
  }

  private quoted(): string | undefined {
    const quote = this.text[this.at];
    if (quote !== "'" && quote !== '"') return undefined;
    let content = '';
    for (let at = this.at + 1; at < this.text.length; at += 1) {
      let character = this.text[at] ?? '';
      if (character === quote) {
        this.at = at + 1;
        return content;
      }
      if (character === '\\') {
        at += 1;
        character = this.text[at] ?? '';
      }
      content += character;
    }
    throw this.error('a quote is not closed');
  }

  private integer(): number | undefined {
    const digits = this.match(/-?\d{1,15}/y);
    return digits === undefined ? undefined : Number(digits);
  }

  private match(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.at += found.length;
    return found;
  }

  private take(text: string): boolean {
    if (!this.text.startsWith(text, this.at)) return false;
    this.at += text.length;
    return true;
  }

  private expect(text: string): void {
    if (!this.take(text)) throw this.unexpected(text);
  }

  private space(): void {
    this.match(/\s*/y);
  }

  private unexpected(wanted: string): ExpressionError {
    return this.error(`expected ${wanted} at character ${this.at + 1}`);
  }

  /** The path itself is not quoted: it may have been computed from a secret. */
  private error(message: string): ExpressionError {
    return new ExpressionError('ExpressionInvalidPath', `The JSONPath cannot be read: ${excerpt(message)}.`);
  }
}

function isNameStart(character: string | undefined): boolean {
  return (
    character !== undefined &&
    character !== '$' &&
    character !== '@' &&
    !nameEnd.has(character) &&
    character !== '*'
  );
}

function numberOf(text: string): number | bigint {
  return /^-?\d{1,1000}$/.test(text) ? normalise(BigInt(text)) : Number(text);
}
