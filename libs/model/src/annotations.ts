/** Annotations and labels that the engine reads. */
export const Annotation = {
  /** `"true"`: a deployment that comes out empty may remove everything. */
  AllowEmpty: 'symphony/allow-empty',
  /** `"true"`, also on a namespace: what another engine deployed is taken over. */
  Adopt: 'symphony/adopt',
  /** A duration in Go's syntax: within it a removal is to have ended. Symphony's. */
  DeleteTimeout: 'delete-timeout',
  /** Symphony's key of the summary: `<name>-<guid>`. */
  Guid: 'Guid',
} as const;

/** Symphony keeps these when a write does not resend them. */
const KEPT_ANNOTATIONS = [
  /^management\.azure\.com\//,
  /^SummaryJobIdKey$/,
  /^Guid$/,
  /symphony\/(delete-)?started-at$/,
];

/** The annotations after a write: those sent, and of the stored ones those that Symphony keeps. */
export function mergeAnnotations(
  stored: Record<string, string>,
  sent: Record<string, string>,
): Record<string, string> {
  const kept = Object.entries(stored).filter(([key]) =>
    KEPT_ANNOTATIONS.some((pattern) => pattern.test(key)),
  );
  return { ...Object.fromEntries(kept), ...sent };
}
