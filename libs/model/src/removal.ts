import { Annotation } from './annotations.js';
import { parseDuration } from './duration.js';

/** By when a removal is to have ended. */
export interface RemovalLimit {
  /** As the annotation or the configuration says. Milliseconds. */
  timeoutMs: number;
  /** Milliseconds since 1970. */
  endsAt: number;
}

/**
 * By when the removal of an object that is being deleted is to have ended, counted from when its deletion was requested: that is
 * stored with the object, so that no restart begins to count anew.
 * @returns undefined for what is not being deleted
 */
export function removalLimitOf(
  {
    deletionTimestamp,
    annotations,
  }: { deletionTimestamp?: string; annotations: Readonly<Record<string, string>> },
  defaultMs: number,
): RemovalLimit | undefined {
  if (deletionTimestamp === undefined) return undefined;
  const asked = annotations[Annotation.DeleteTimeout];
  const timeoutMs = (asked === undefined ? undefined : parseDuration(asked)) ?? defaultMs;
  return { timeoutMs, endsAt: Date.parse(deletionTimestamp) + timeoutMs };
}
