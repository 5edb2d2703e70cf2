import type { DeployableKind, ObjectStatus } from '@symphony/model';
import type { ApiClient, ObjectRef } from '../client/index.js';
import { typeOf, type CustomObject } from '../objects/custom-object.js';
import { mergePatchOf, statusDocument, type Remembered } from './status-document.js';

/** What only reports write (see `KubernetesObjectStore.report`). */
const OF_REPORTS: ReadonlySet<string> = new Set(['properties', 'reportedAt']);

export interface StatusWriterOptions {
  client: Pick<ApiClient, 'patch'>;
  /** Takes over the answer of a write, so that the next one is compared with it. */
  seen(kind: DeployableKind, object: CustomObject<DeployableKind>): void;
}

/** Writes the engine's half of a status, as far as it differs from what was last seen. */
export class StatusWriter {
  constructor(private readonly options: StatusWriterOptions) {}

  /** @throws NotFoundError, ConflictError when the object is another one by now */
  async write(
    kind: DeployableKind,
    object: CustomObject,
    status: ObjectStatus,
    remembered: Remembered,
    signal?: AbortSignal,
  ): Promise<void> {
    const { uid, name, namespace } = object.metadata;
    const document = statusDocument(status, remembered);
    const { epoch: _before, ...stored } = { ...object.status };
    const { epoch, ...wanted } = document;
    const changes = mergePatchOf(stored, wanted, OF_REPORTS);
    if (!changes) return;
    const body = { metadata: { uid }, status: { ...changes, epoch } };
    const ref: ObjectRef = { name, ...(namespace === undefined ? {} : { namespace }) };
    const written = await this.options.client.patch(
      typeOf<DeployableKind>(kind),
      ref,
      { kind: 'merge', body },
      { subresource: 'status', repeatable: true, signal },
    );
    this.options.seen(kind, written);
  }
}
