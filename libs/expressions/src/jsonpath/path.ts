/** A parsed JSONPath in the dialect of Kubernetes. */
export type Step =
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'every' }
  /** The value and all that it contains, at any depth. */
  | { readonly kind: 'descend' }
  /** Negative counts from the end. */
  | { readonly kind: 'index'; readonly index: number }
  | { readonly kind: 'slice'; readonly start?: number; readonly end?: number; readonly by: number }
  | { readonly kind: 'union'; readonly members: readonly Step[] }
  | { readonly kind: 'filter'; readonly left: FilterOperand; readonly test?: FilterTest };

export interface FilterTest {
  readonly operator: FilterOperator;
  readonly right: FilterOperand;
}

export type FilterOperator = '==' | '!=' | '<=' | '>=' | '<' | '>';

export type FilterOperand =
  | { readonly kind: 'literal'; readonly value: string | number | bigint | boolean }
  | { readonly kind: 'path'; readonly fromRoot: boolean; readonly steps: readonly Step[] };
