import type { DeployableKind, DeploymentOwner } from '@symphony/model';
import type { Claim, RunOutcome } from '../../../modules/queue/index.js';
import { apiVersionOf } from '../client/index.js';
import { typeOf, type CustomObject } from '../objects/custom-object.js';
import type { EventRecorder } from './event-recorder.js';
import type { Regarding } from './kube-event.js';
import { happeningsOf, orphaned } from './run-happenings.js';

export interface ObjectEventsParts {
  recorder: Pick<EventRecorder, 'record'>;
  /** Whether the object is there as well; then somebody has asked to let go what was deployed for it. */
  isStored: (kind: DeployableKind, uid: string) => boolean;
  /** Counts it. `byHand`: somebody took our finalizer off. */
  countOrphaned: (kind: DeployableKind, how: 'asked' | 'byHand') => void;
}

/** Tells what happens to Targets and Instances at the objects themselves. */
export class ObjectEvents {
  constructor(private readonly parts: ObjectEventsParts) {}

  /**
   * What a run has left behind.
   * @param object as it was before
   * @param written the change of its status; undefined when there was none
   */
  afterRun(
    claim: Claim,
    object: CustomObject,
    outcome: RunOutcome,
    written: { cutNow: boolean } | undefined,
  ): void {
    const told = { changed: written !== undefined, cutNow: written?.cutNow ?? false };
    for (const happening of happeningsOf(claim, object, outcome, told)) {
      this.parts.recorder.record(regarding(claim.kind, object.metadata), happening);
    }
  }

  /** What was deployed for an owner stays without it. @param left as people read it */
  orphaned(owner: DeploymentOwner, left: readonly string[]): void {
    const { kind, uid } = owner;
    if (kind === 'Inline') return;
    const asked = this.parts.isStored(kind, uid);
    this.parts.countOrphaned(kind, asked ? 'asked' : 'byHand');
    this.parts.recorder.record(regarding(kind, owner), orphaned(left, asked));
  }
}

function regarding(kind: DeployableKind, of: { namespace?: string; name: string; uid?: string }): Regarding {
  const { namespace = '', name, uid = '' } = of;
  return { apiVersion: apiVersionOf(typeOf<DeployableKind>(kind)), kind, namespace, name, uid };
}
