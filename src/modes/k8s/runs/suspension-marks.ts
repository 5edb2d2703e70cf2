import type { DeployableKind } from '@symphony/model';
import type { ApiClient } from '../client/index.js';
import { isSuspended } from '../controller/known-object.js';
import { typeOf, type CustomObject } from '../objects/custom-object.js';
import type { Change } from '../reflector/index.js';
import type { StatusEdits } from './status-edits.js';

type Deployable = CustomObject<DeployableKind>;

export interface SuspensionParts {
  client: Pick<ApiClient, 'patch'>;
  objects: {
    all(kind: DeployableKind): Deployable[];
    of(kind: DeployableKind): {
      onChange(listener: (change: Change<Deployable>) => void): () => void;
      seen(object: Deployable): void;
    };
  };
  edits: Pick<StatusEdits, 'ours'>;
  /** Whether this process leads, with its lanes made. */
  leads: () => boolean;
  warn: (message: string, error: unknown) => void;
}

const KINDS: readonly DeployableKind[] = ['Target', 'Instance'];

/**
 * Says in the status that the runs of an object are held back, or are so no more: the order stands in an annotation, and this is the
 * answer that the leader has taken it. Written when it changes, and with every other status.
 */
export class SuspensionMarks {
  constructor(private readonly parts: SuspensionParts) {}

  /** Follows the annotations. */
  start(): void {
    for (const kind of KINDS) {
      this.parts.objects.of(kind).onChange(({ after }) => {
        if (after && this.parts.leads()) void this.#mark(kind, after);
      });
    }
  }

  /** At the beginning of a term: what was ordered while nobody led. */
  begin(): void {
    for (const kind of KINDS)
      for (const object of this.parts.objects.all(kind)) void this.#mark(kind, object);
  }

  async #mark(kind: DeployableKind, object: Deployable): Promise<void> {
    const suspended = isSuspended(object);
    if (suspended === (object.status?.suspended === true)) return;
    const { name, namespace = '', uid } = object.metadata;
    const body = { metadata: { uid }, status: { suspended: suspended || null } };
    try {
      await this.parts.edits.ours(
        uid ?? '',
        () =>
          this.parts.client.patch(
            typeOf<DeployableKind>(kind),
            { name, namespace },
            { kind: 'merge', body },
            { subresource: 'status', repeatable: true },
          ),
        (written) => this.parts.objects.of(kind).seen(written),
      );
    } catch (error) {
      this.parts.warn('That an object is suspended, or not, could not be written into its status', error);
    }
  }
}
