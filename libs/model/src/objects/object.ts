import { Free, One, Text, type ModelClass } from '../fields.js';
import { InstanceSpec } from './instance.js';
import { ObjectMeta, type WireMeta } from './metadata.js';
import { SolutionContainerSpec, SolutionSpec } from './solution.js';
import type { ObjectStatus } from './status.js';
import { TargetSpec } from './target.js';

export interface SpecByKind {
  Target: TargetSpec;
  Solution: SolutionSpec;
  Instance: InstanceSpec;
  SolutionContainer: SolutionContainerSpec;
}

export type ObjectKind = keyof SpecByKind;
/** The kinds that have a lane: something is deployed for them. */
export type DeployableKind = 'Target' | 'Instance';

/** What the engine writes, and what people or agents report with `PUT targets/status`. */
export interface StoredStatus {
  engine?: ObjectStatus;
  reported?: { properties: Record<string, string>; lastModified: string };
}

/** An object as the stores hold it. `spec` is the user's; `status` is the engine's; `version` counts the user's half. */
export interface StoredObject<K extends ObjectKind = ObjectKind> {
  kind: K;
  namespace: string;
  name: string;
  uid: string;
  /** +1 on each change of the spec and when deletion is requested. */
  generation: number;
  /** Opaque; changes when spec, labels, annotations or the deletion mark change. The ETag. */
  version: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  spec: SpecByKind[K];
  status: StoredStatus;
  createdAt: string;
  deletionTimestamp?: string;
}

/** Envelope of a request body. `apiVersion` and `kind` may be sent, `status` is ignored. */
class ObjectBody {
  @Text({ max: 253 }) apiVersion?: string;
  @Text({ max: 253 }) kind?: string;
  @One(() => ObjectMeta) metadata?: ObjectMeta;
  @Free({ description: 'Ignored: the engine writes the status.' }) status?: unknown;
}

export class TargetBody extends ObjectBody {
  @One(() => TargetSpec) spec?: TargetSpec;
}

export class SolutionBody extends ObjectBody {
  @One(() => SolutionSpec) spec?: SolutionSpec;
}

export class InstanceBody extends ObjectBody {
  @One(() => InstanceSpec) spec?: InstanceSpec;
}

export class SolutionContainerBody extends ObjectBody {
  @Free() spec?: unknown;
}

export type BodyOf<K extends ObjectKind> = ObjectBody & { spec?: SpecByKind[K] };

export const BODY_CLASSES: { [K in ObjectKind]: ModelClass<BodyOf<K>> } = {
  Target: TargetBody,
  Solution: SolutionBody,
  Instance: InstanceBody,
  SolutionContainer: SolutionContainerBody as ModelClass<BodyOf<'SolutionContainer'>>,
};

/** An object as GET shows it; can be sent back as it is. */
export interface WireObject {
  metadata: WireMeta;
  spec: object;
  status?: object;
}

export function toWire(object: StoredObject): WireObject {
  const { status } = object;
  const wire: WireObject = {
    metadata: {
      name: object.name,
      namespace: object.namespace,
      uid: object.uid,
      etag: object.version,
      generation: object.generation,
      objGeneraion: object.generation,
      ...(Object.keys(object.labels).length > 0 ? { labels: object.labels } : {}),
      ...(Object.keys(object.annotations).length > 0 ? { annotations: object.annotations } : {}),
      creationTimestamp: object.createdAt,
      ...(object.deletionTimestamp ? { deletionTimestamp: object.deletionTimestamp } : {}),
    },
    spec: object.spec,
  };
  if (object.kind === 'Target' || object.kind === 'Instance') {
    wire.status = {
      ...status.engine,
      ...(status.reported?.properties ? { properties: status.reported.properties } : {}),
    };
    if (status.reported && !(status.engine && status.engine.lastModified > status.reported.lastModified)) {
      Object.assign(wire.status, { lastModified: status.reported.lastModified });
    }
  }
  return wire;
}
