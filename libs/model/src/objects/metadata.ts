import { Free, Lenient, Text, TextMap } from '../fields.js';

/** `metadata` as users send it. Unknown keys are dropped, so that whatever GET or kubectl prints can be sent back. */
@Lenient()
export class ObjectMeta {
  @Text({ max: 253, description: 'Equals the name in the URL, or is left out.' })
  name?: string;

  @Text({ max: 63, description: 'Default: the namespace of the query, else `default`.' })
  namespace?: string;

  @Free({
    description: 'Precondition: the version this write is based on. A different stored version answers 409.',
  })
  etag?: string | number;

  @TextMap()
  labels?: Record<string, string>;

  @TextMap()
  annotations?: Record<string, string>;
}

/** `metadata` as the engine shows it. */
export interface WireMeta {
  name: string;
  namespace: string;
  uid: string;
  etag: string;
  generation: number;
  /** Symphony's spelling of `generation` on the wire. */
  objGeneraion: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  creationTimestamp: string;
  deletionTimestamp?: string;
}
