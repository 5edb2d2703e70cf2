import { VERSION_SEPARATOR, type LedgerEntry } from '@symphony/model';
import { selectsTarget } from '../../../modules/queue/index.js';
import type { CustomObject } from '../objects/custom-object.js';
import { indexKey, type InstanceIndex } from '../objects/object-reflectors.js';
import type { DependentsOf } from '../lanes/index.js';

export interface DependentSources {
  instances: {
    byIndex(index: InstanceIndex, value: string): CustomObject<'Instance'>[];
    byUid(uid: string): CustomObject<'Instance'> | undefined;
  };
  /** Whose ledgers name a target. */
  ownersOn(targetUid: string): Pick<LedgerEntry, 'owner'>[];
}

/** Who depends on what was written, page by page in the order of names, from the caches' indexes. */
export function dependentsFrom(sources: DependentSources): DependentsOf {
  const { instances } = sources;
  return (fanOut, after, limit) => {
    const { namespace } = fanOut;
    const reference = indexKey(namespace, fanOut.name.replaceAll(':', VERSION_SEPARATOR));
    const found = new Map<string, CustomObject<'Instance'>>();
    const add = (items: readonly CustomObject<'Instance'>[]): void => {
      for (const item of items) found.set(item.metadata.name, item);
    };
    if (fanOut.kind === 'Solution') {
      add(instances.byIndex('solution', reference));
    } else {
      add(instances.byIndex('target', reference));
      const dynamic = instances.byIndex('target', indexKey(namespace, '*'));
      add(dynamic.filter(({ spec }) => selectsTarget(spec?.target, fanOut)));
      add(sources.ownersOn(fanOut.uid).flatMap(({ owner }) => instances.byUid(owner.uid) ?? []));
    }
    const names = [...found.keys()].toSorted().filter((name) => after === undefined || name > after);
    const page = names.slice(0, limit);
    const last = page.at(-1);
    return Promise.resolve({
      items: page.map((name) => ({ name, generation: found.get(name)?.metadata.generation ?? 1 })),
      ...(last !== undefined && page.length < names.length ? { next: last } : {}),
    });
  };
}
