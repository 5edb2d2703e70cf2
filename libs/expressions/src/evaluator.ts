import { combine, isNumber, negate, type Operand } from './arithmetic.js';
import type { Expression, Node } from './ast.js';
import type { EvaluationContext } from './context.js';
import { excerpt, ExpressionError, type ExpressionErrorCode } from './errors.js';
import type { Evaluation } from './evaluation.js';
import { functions } from './functions/index.js';
import { Budget } from './limits.js';
import { gatherLookups } from './lookups.js';
import { hasExpression, isWhollyExpression, parseTemplate, type Segment, type Template } from './template.js';
import {
  isMapValue,
  type JsonValue,
  jsonText,
  nameOf,
  textOf,
  toJsonValue,
  toValue,
  type Value,
} from './values.js';

/** The result of a template. */
export interface Evaluated {
  readonly value: JsonValue;
  /** The value depends on a secret: mask it wherever it is shown. */
  readonly sensitive: boolean;
}

/**
 * Evaluates a text. One expression and nothing else gives its native value; anything more gives text; a text
 * without expressions gives itself. Throws ExpressionError, or LookupNeeded (see resolveLookups), nothing else.
 */
export function evaluateTemplate(text: string, context: EvaluationContext): Evaluated {
  return new Evaluator(context).evaluateText(text);
}

/** One evaluation: its budget, what it has seen of secrets, and which values it is inside of. */
export class Evaluator implements Evaluation {
  private sensitive = false;
  private source = '';
  private readonly active = new Set<string>();
  private readonly adopted = new WeakMap<object, Value>();

  constructor(
    readonly context: EvaluationContext,
    readonly budget = new Budget(),
  ) {}

  evaluateText(text: string): Evaluated {
    if (!hasExpression(text)) return { value: text, sensitive: false };
    this.sensitive = false;
    const value = toJsonValue(this.template(parseTemplate(text)));
    return { value, sensitive: this.sensitive };
  }

  evaluate(node: Node): Value {
    this.budget.step();
    switch (node.kind) {
      case 'empty':
        return '';
      case 'integer':
      case 'text':
        return node.value;
      case 'sign':
        return this.sign(node);
      case 'brackets':
        return this.budget.produce(`${node.open}${this.textOf(node.inner)}${node.close}`);
      case 'chain':
        return this.chain(node);
      default:
        return this.call(node);
    }
  }

  nameOf(node: Node): string {
    return nameOf(this.evaluate(node), this.budget);
  }

  textOf(node: Node): string {
    return this.format(this.evaluate(node));
  }

  format(value: Value): string {
    return textOf(value, this.budget);
  }

  adopt(value: unknown): Value {
    if (typeof value !== 'object' || value === null) return toValue(value, this.budget);
    const known = this.adopted.get(value);
    if (known !== undefined) return known;
    const copy = toValue(value, this.budget);
    this.adopted.set(value, copy);
    return copy;
  }

  resolve(value: Value, key: string, which: 'whole' | 'any'): Value {
    if (this.active.has(key)) throw this.error('ExpressionCircular', `${this.shown(key)} refers to itself`);
    const { templateDepth } = this.budget.limits;
    if (this.active.size >= templateDepth) {
      throw this.error('ExpressionTooDeep', `values refer to values more than ${templateDepth} times over`);
    }
    this.active.add(key);
    try {
      return which === 'any' ? this.resolveAny(value) : this.resolveWhole(value);
    } finally {
      this.active.delete(key);
    }
  }

  markSensitive(): void {
    this.sensitive = true;
  }

  shown(value: string): string {
    return this.sensitive ? '(hidden, it may hold a secret)' : `"${excerpt(value)}"`;
  }

  error(code: ExpressionErrorCode, message: string): ExpressionError {
    return new ExpressionError(code, `In \${{${excerpt(this.source)}}}: ${message}.`);
  }

  private template({ segments }: Template): Value {
    const values = gatherLookups(segments, (segment) => this.segment(segment));
    const [only = ''] = values;
    if (values.length <= 1) return only;
    return this.budget.produce(values.map((value) => this.format(value)).join(''));
  }

  private segment(segment: Segment): Value {
    if (segment.kind === 'text') return segment.text;
    const outer = this.source;
    this.source = segment.expression.source;
    try {
      return this.expression(segment.expression);
    } finally {
      this.source = outer;
    }
  }

  /** Lists side by side append, maps merge, anything else is joined as text. Nothing at all is null. */
  private expression({ parts }: Expression): Value {
    const values = gatherLookups(parts, (part) => this.evaluate(part));
    return values.reduce<Value>((all, value) => this.sideBySide(all, value), null);
  }

  private sideBySide(left: Value, right: Value): Value {
    if (left === null) return right;
    if (Array.isArray(left) && Array.isArray(right)) {
      this.budget.step(left.length + right.length);
      return [...(left as readonly Value[]), ...(right as readonly Value[])];
    }
    if (isMapValue(left) && isMapValue(right)) {
      const entries = [...Object.entries(left), ...Object.entries(right)];
      this.budget.step(entries.length);
      return Object.fromEntries(entries);
    }
    const structured = typeof right === 'object' && right !== null;
    const text = structured ? jsonText(right, this.budget) : this.format(right);
    return this.budget.produce(this.format(left) + text);
  }

  private sign(node: Extract<Node, { kind: 'sign' }>): Value {
    if (node.operand.kind === 'empty') return '';
    const value = this.evaluate(node.operand);
    if (node.operator === '+') return value;
    return isNumber(value) ? negate(value) : this.budget.produce(`-${this.format(value)}`);
  }

  private chain(node: Extract<Node, { kind: 'chain' }>): Value {
    const nodes = [node.first, ...node.rest.map((link) => link.operand)];
    const operands = gatherLookups(nodes, (operand) => this.operand(operand));
    let left = operands[0] ?? this.plain('');
    node.rest.forEach(({ operator }, index) => {
      const right = operands[index + 1] ?? this.plain('');
      left = this.plain(combine(left, operator, right, this.budget));
    });
    return left.value;
  }

  /** A number literal keeps the digits as written where it is joined as text: `6.08`, `12:04`, `a-08`. */
  private operand(node: Node): Operand {
    const value = this.evaluate(node);
    return node.kind === 'integer' ? { value, text: () => node.source } : this.plain(value);
  }

  private plain(value: Value): Operand {
    return { value, text: () => this.format(value) };
  }

  private call({ name, args }: Extract<Node, { kind: 'call' }>): Value {
    const definition = Object.hasOwn(functions, name) ? functions[name] : undefined;
    if (definition === undefined) {
      throw this.error('ExpressionUnknownFunction', `there is no function $${excerpt(name)}()`);
    }
    const [least, most] = definition.arity;
    if (args.length < least || args.length > most) {
      const wanted =
        least === most ? String(least) : `${least} ${Number.isFinite(most) ? `to ${most}` : 'or more'}`;
      throw this.error(
        'ExpressionArity',
        `$${name}() takes ${wanted} argument${wanted === '1' ? '' : 's'}, found ${args.length}`,
      );
    }
    return definition.evaluate(args, this);
  }

  private resolveWhole(value: Value): Value {
    return typeof value === 'string' && isWhollyExpression(value)
      ? this.template(parseTemplate(value))
      : value;
  }

  private resolveAny(value: Value): Value {
    this.budget.step();
    if (typeof value === 'string') return hasExpression(value) ? this.template(parseTemplate(value)) : value;
    if (typeof value !== 'object' || value === null) return value;
    if (!isMapValue(value)) return gatherLookups(value, (item) => this.resolveAny(item));
    const keys = Object.keys(value);
    const items = gatherLookups(Object.values(value), (item) => this.resolveAny(item));
    return Object.fromEntries(keys.map((key, index) => [key, items[index] ?? null]));
  }
}
