import { VERSION_SEPARATOR, type InstanceSpec, type ObjectKind } from '@symphony/model';

/** What an object refers to, as whoever looks for its dependents finds it. */
export interface References {
  solution: string | null;
  target: string | null;
  /** It selects its targets by pattern or property. */
  dynamic: boolean;
}

/** `a:b` and `a-v-b` mean the same object, so both are stored as `a-v-b`: one index finds them. */
export function referencesOf(kind: ObjectKind, spec: object): References {
  if (kind !== 'Instance') return { solution: null, target: null, dynamic: false };
  const { solution = '', target } = spec as Partial<InstanceSpec>;
  const name = target?.name ?? '';
  const pattern = /[*%]/.test(name);
  return {
    solution: solution.replaceAll(':', VERSION_SEPARATOR),
    target: name === '' || pattern ? null : name.replaceAll(':', VERSION_SEPARATOR),
    dynamic: pattern || Object.keys(target?.selector ?? {}).length > 0,
  };
}
