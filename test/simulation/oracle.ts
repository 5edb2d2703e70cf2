import { bindingOf, roleOf, type ComponentSpec, type StoredObject } from '@symphony/model';
import { itemKey } from './world.js';
import type { Tables } from './tables.js';

/** What an object wants to be there, worked out again and independently of the planner. */
export interface Wanted {
  /** Revision by item. */
  items: Map<string, string>;
  /** Everything goes, by intent. */
  removal: boolean;
  /** Nothing may be removed: what is wanted cannot be told, or came out empty without anybody meaning it. */
  hold: boolean;
  /** Targets that are being deleted: everything is taken off them. */
  leaving: Set<string>;
}

export function wantedBy(tables: Tables, object: StoredObject | undefined): Wanted {
  const targets = tables.list('Target');
  const leaving = new Set(targets.filter((target) => target.deletionTimestamp).map((target) => target.uid));
  const wanted: Wanted = { items: new Map(), removal: false, hold: false, leaving };
  if (!object) return { ...wanted, hold: true };
  if (object.deletionTimestamp) return { ...wanted, removal: true };
  if (object.kind === 'Target') {
    const target = object as StoredObject<'Target'>;
    place(wanted, target.uid, target, target.spec.components ?? []);
  } else {
    const instance = object as StoredObject<'Instance'>;
    if (instance.spec.activeState === 'inactive') return { ...wanted, removal: true };
    const { namespace } = instance;
    const solution = tables.object({ kind: 'Solution', namespace, name: instance.spec.solution });
    if (!solution) return { ...wanted, hold: true };
    for (const target of targets) {
      if (!target.deletionTimestamp && matches(instance, target)) {
        place(wanted, instance.uid, target, solution.spec.components ?? []);
      }
    }
  }
  wanted.hold = wanted.items.size === 0;
  return wanted;
}

function matches({ spec }: StoredObject<'Instance'>, target: StoredObject<'Target'>): boolean {
  if (spec.target?.name === target.name) return true;
  const selector = Object.entries(spec.target?.selector ?? {});
  return selector.length > 0 && selector.every(([key, value]) => target.spec.properties?.[key] === value);
}

function place(
  { items }: Wanted,
  ownerUid: string,
  target: StoredObject<'Target'>,
  components: readonly ComponentSpec[],
): void {
  for (const component of components) {
    const where = bindingOf(target.spec, roleOf(component))?.config?.place ?? '';
    const key = itemKey({ targetUid: target.uid, place: where, ownerUid, component: component.name });
    items.set(key, String(component.properties?.rev));
  }
}

/** How the world differs from what all objects want; empty when it does not. */
export function differences(tables: Tables, items: ReadonlyMap<string, ComponentSpec>): string[] {
  const wanted = new Map<string, string>();
  for (const kind of ['Target', 'Instance'] as const) {
    for (const object of tables.list(kind)) {
      for (const [key, rev] of wantedBy(tables, object).items) wanted.set(key, rev);
    }
  }
  const found: string[] = [];
  for (const [key, rev] of wanted) {
    const there = items.get(key)?.properties?.rev;
    if (there !== rev) found.push(`${key} is at ${String(there)} instead of ${rev}`);
  }
  for (const key of items.keys()) if (!wanted.has(key)) found.push(`${key} is there and nobody wants it`);
  return found;
}
