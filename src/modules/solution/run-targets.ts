import type {
  BindingSpec,
  ComponentSpec,
  Deployment,
  DeploymentTarget,
  KnownAs,
  LedgerEntry,
  WireDeployment,
} from '@symphony/model';
import { toWireDeployment } from '@symphony/planning';

/** Where a call goes, as far as it matters here. */
interface Place {
  targetUid: string;
  targetName: string;
  binding: BindingSpec;
}

/**
 * The targets that a run may call: those of its deployment, and those that the deployment has left, from which something is
 * still to be removed. What is removed there is described by the target as it is now, so that expressions that read its
 * properties give the same values as when the thing was applied.
 */
export class RunTargets {
  readonly #byUid: ReadonlyMap<string, DeploymentTarget>;
  readonly #extended = new Map<string, Deployment>();
  readonly #knownAs = new Map<string, KnownAs>();

  constructor(
    private readonly deployment: Deployment,
    known: readonly DeploymentTarget[],
    ledger: readonly LedgerEntry[],
  ) {
    for (const { targetUid, knownAs } of ledger) if (knownAs) this.#knownAs.set(targetUid, knownAs);
    this.#byUid = new Map([...known, ...deployment.targets].map((target) => [target.uid, target]));
  }

  /** A target that is not there any more has nothing but its binding. */
  of({ targetUid, targetName, binding }: Place): DeploymentTarget {
    const known = this.#byUid.get(targetUid);
    const spec = known?.spec ?? { topologies: [{ bindings: [binding] }] };
    return { name: targetName, uid: targetUid, spec };
  }

  /** How what is on that target names owner and target; undefined: by their uids. */
  knownAs({ targetUid }: Pick<Place, 'targetUid'>): KnownAs | undefined {
    return this.#knownAs.get(targetUid);
  }

  /** The DeploymentSpec of a call, which always lists the target that it is for. */
  wire(place: Place, components: readonly ComponentSpec[]): WireDeployment {
    return toWireDeployment(this.#deploymentWith(place), { activeTarget: place.targetName, components });
  }

  #deploymentWith(place: Place): Deployment {
    const { targets } = this.deployment;
    if (targets.some((target) => target.uid === place.targetUid)) return this.deployment;
    const known = this.#extended.get(place.targetUid);
    if (known) return known;
    const others = targets.filter((target) => target.name !== place.targetName);
    const extended = { ...this.deployment, targets: [...others, this.of(place)] };
    this.#extended.set(place.targetUid, extended);
    return extended;
  }
}
