import { joinPath, type ComponentSpec, type FieldDiff, type Sidecar } from '@symphony/model';
import { textForm } from './text-form.js';
import type { PropertyRule, ValidationRule } from './validation-rule.js';

type Values = Readonly<Record<string, unknown>>;

/**
 * The differences between two forms of one component that the rule asks to see, each path once. What the rule does not
 * list never counts, so a rule without entries reports nothing: changes of the declaration are then seen by the ledger's
 * digest, and drift by what `get` leaves out.
 *
 * Values are returned as they are; whoever shows them masks what is secret.
 */
export function changedFields(
  rule: ValidationRule,
  before: ComponentSpec,
  after: ComponentSpec,
): FieldDiff[] {
  const own = rule.componentValidationRule ?? {};
  const diffs = new Map<string, FieldDiff>();
  for (const entry of own.changeDetection ?? []) {
    if (entry.isComponentName) compareNames(entry, before, after, diffs);
    else compareEntry(entry, before.properties, after.properties, 'properties', diffs);
  }
  for (const entry of own.changeDetectionMetadata ?? []) {
    compareEntry(entry, before.metadata, after.metadata, 'metadata', diffs);
  }
  if (rule.allowSidecar) {
    const rules = rule.sidecarValidationRule?.changeDetection ?? [];
    compareSidecars(rules, before.sidecars ?? [], after.sidecars ?? [], diffs);
  }
  return [...diffs.values()];
}

function compareNames(
  entry: PropertyRule,
  before: ComponentSpec,
  after: ComponentSpec,
  diffs: Map<string, FieldDiff>,
): void {
  if (same(entry, before.name, after.name)) return;
  diffs.set('name', { path: 'name', before: before.name, after: after.name });
}

function compareEntry(
  entry: PropertyRule,
  before: Values = {},
  after: Values = {},
  path: string,
  diffs: Map<string, FieldDiff>,
): void {
  for (const key of keysOf(entry.name, before, after)) {
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    const now = Object.hasOwn(after, key) ? after[key] : undefined;
    if (same(entry, old, now)) continue;
    const at = joinPath(path, key);
    diffs.set(at, { path: at, before: old, after: now });
  }
}

function keysOf(name: string, before: Values, after: Values): string[] {
  if (!name.includes('*')) return [name];
  const pattern = new RegExp(`^${name.split('*').map(literally).join('.*')}$`, 's');
  return [...new Set([...Object.keys(before), ...Object.keys(after)])].filter((key) => pattern.test(key));
}

function literally(text: string): string {
  return text.replace(/[\\^$.|?+()[\]{}]/g, String.raw`\$&`);
}

function same(entry: PropertyRule, before: unknown, after: unknown): boolean {
  if (before === undefined && after === undefined) return true;
  if (entry.same) return entry.same(before, after);
  if (before === undefined || after === undefined) return entry.skipIfMissing === true;
  let old = textForm(before);
  let now = textForm(after);
  if (entry.ignoreCase) {
    old = old.toLowerCase();
    now = now.toLowerCase();
  }
  return old === now || (entry.prefixMatch === true && (old.startsWith(now) || now.startsWith(old)));
}

function compareSidecars(
  rules: readonly PropertyRule[],
  before: readonly Sidecar[],
  after: readonly Sidecar[],
  diffs: Map<string, FieldDiff>,
): void {
  const old = new Map(before.map((sidecar) => [sidecar.name ?? '', sidecar]));
  const now = new Map(after.map((sidecar) => [sidecar.name ?? '', sidecar]));
  for (const name of new Set([...old.keys(), ...now.keys()])) {
    const path = `sidecars[${JSON.stringify(name)}]`;
    const left = old.get(name);
    const right = now.get(name);
    if (left && right) {
      for (const entry of rules) {
        compareEntry(entry, left.properties, right.properties, `${path}.properties`, diffs);
      }
    } else {
      diffs.set(path, { path, before: left, after: right });
    }
  }
}
