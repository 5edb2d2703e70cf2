/** Operators that compute on two numbers and join text otherwise. */
type ArithmeticOperator = '+' | '-' | '*' | '/';
/** Operators that always join text, with themselves in between. */
type JoinOperator = '\\' | '.' | ':' | '?' | '=' | '~' | '&' | ',';
export type Operator = ArithmeticOperator | JoinOperator;

export type Node =
  /** A missing operand: nothing stands where a value could. */
  | { readonly kind: 'empty' }
  /** `source` is kept because a join shows digits as they were written: `6.08` stays `6.08`. */
  | { readonly kind: 'integer'; readonly value: number | bigint; readonly source: string }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'sign'; readonly operator: '+' | '-'; readonly operand: Node }
  | { readonly kind: 'brackets'; readonly open: '[' | '{'; readonly close: ']' | '}'; readonly inner: Node }
  /** Operators of one level, left to right. Flat, so that a long chain needs no deep recursion. */
  | { readonly kind: 'chain'; readonly first: Node; readonly rest: readonly Link[] }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Node[] };

export interface Link {
  readonly operator: Operator;
  readonly operand: Node;
}

/** What stands between `${{` and `}}`: parts whose results are put together (see docs, "Words side by side"). */
export interface Expression {
  readonly source: string;
  readonly parts: readonly Node[];
}

/** Calls `visit` for each node, parents first. */
export function walk(node: Node, visit: (node: Node) => void): void {
  visit(node);
  switch (node.kind) {
    case 'sign':
      walk(node.operand, visit);
      break;
    case 'brackets':
      walk(node.inner, visit);
      break;
    case 'chain':
      walk(node.first, visit);
      for (const link of node.rest) walk(link.operand, visit);
      break;
    case 'call':
      for (const arg of node.args) walk(arg, visit);
      break;
    default:
  }
}
