import type { Person } from '../../support/kubernetes-flow.js';

/** In the order in which most tools restore: what others refer to first. */
const KINDS = ['solutions', 'targets', 'instances', 'ledgers'] as const;
type Kind = (typeof KINDS)[number];

const GIVEN_BY_SERVER = ['uid', 'resourceVersion', 'creationTimestamp', 'generation', 'managedFields'];

interface Stored {
  metadata: Record<string, unknown> & { name: string };
  spec?: { entries?: { updatedAt: string }[] };
  status?: unknown;
}

export interface BackupOptions {
  /** Some tools keep them, and the garbage collector then finds owners that are not there. Default true. */
  ownerReferences?: boolean;
  /** Some tools leave them out. Default true. */
  finalizers?: boolean;
}

/** What a backup tool keeps of a namespace: everything but what the server gives, and no status. */
export class Backup {
  private constructor(
    private readonly me: Person,
    private readonly objects: ReadonlyMap<Kind, Stored[]>,
  ) {}

  static async take(
    me: Person,
    { ownerReferences = true, finalizers = true }: BackupOptions = {},
  ): Promise<Backup> {
    const objects = new Map<Kind, Stored[]>();
    for (const kind of KINDS) {
      const { items } = JSON.parse(await me.kubectl('get', kind, '-o', 'json')) as { items: Stored[] };
      for (const item of items) {
        for (const field of GIVEN_BY_SERVER) delete item.metadata[field];
        if (!ownerReferences) delete item.metadata['ownerReferences'];
        if (!finalizers) delete item.metadata['finalizers'];
        delete item.status;
        // It was made yesterday.
        for (const entry of item.spec?.entries ?? []) {
          entry.updatedAt = new Date(Date.parse(entry.updatedAt) - 86_400_000).toISOString();
        }
      }
      objects.set(kind, items);
    }
    return new Backup(me, objects);
  }

  /** Everything of the namespace is lost but what is deployed. Whoever could notice must not run. */
  async lose(): Promise<void> {
    const nobody = ['--type=merge', '--patch={"metadata":{"finalizers":null}}'];
    for (const kind of KINDS.toReversed()) {
      const names = (this.objects.get(kind) ?? []).map(({ metadata }) => metadata.name);
      if (names.length === 0) continue;
      await this.me.kubectl('delete', '--wait=false', kind, '--all');
      for (const name of names) {
        await this.me.kubectl('patch', kind, name, ...nobody).catch((error: unknown) => {
          if (!String(error).includes('NotFound')) throw error;
        });
      }
      await this.me.kubectl('wait', '--for=delete', '--timeout=60s', kind, '--all');
    }
  }

  /** Creates the objects anew, which gives them new uids. */
  async restore(...kinds: readonly Kind[]): Promise<void> {
    for (const kind of kinds) {
      for (const object of this.objects.get(kind) ?? []) await this.me.create(object);
    }
  }
}
