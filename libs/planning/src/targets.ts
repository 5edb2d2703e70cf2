import { candidatesOf, type TargetMismatch, type TargetSelector, type TargetSpec } from '@symphony/model';
import { matchesPattern } from './pattern.js';

export interface TargetCandidate {
  name: string;
  spec: TargetSpec;
  /** A target that is being deleted matches nothing any more. */
  deleting: boolean;
}

export interface TargetMatch {
  /** Names, sorted. */
  matched: string[];
  /** Every other target with a sentence that says why, sorted by name. */
  mismatches: TargetMismatch[];
}

/** Which targets an instance is for: those whose name matches, and those whose properties match the selector. */
export function matchTargets(
  wanted: TargetSelector | undefined,
  targets: readonly TargetCandidate[],
): TargetMatch {
  const name = namePattern(wanted?.name, targets);
  const selector = Object.entries(wanted?.selector ?? {});
  const match: TargetMatch = { matched: [], mismatches: [] };
  for (const target of targets.toSorted(byName)) {
    const why = mismatch(target, name, selector);
    if (why === undefined) match.matched.push(target.name);
    else match.mismatches.push({ target: target.name, why });
  }
  return match;
}

function byName(a: { name: string }, b: { name: string }): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

/** `a:b` means the target `a:b` where there is one, else `a-v-b`. */
function namePattern(reference: string | undefined, targets: readonly TargetCandidate[]): string | undefined {
  if (!reference) return undefined;
  const candidates = candidatesOf(reference);
  return (
    candidates.find((pattern) => targets.some((target) => matchesPattern(pattern, target.name))) ??
    candidates.at(-1)
  );
}

/** A sentence, or undefined when the target matches. */
function mismatch(
  target: TargetCandidate,
  name: string | undefined,
  selector: readonly [string, string][],
): string | undefined {
  if (target.deleting) return 'It is being deleted.';
  if (name === undefined && selector.length === 0) {
    return 'The instance names neither spec.target.name nor spec.target.selector.';
  }
  const reasons: string[] = [];
  if (name !== undefined) {
    if (matchesPattern(name, target.name)) return undefined;
    reasons.push(`its name does not match ${JSON.stringify(name)}`);
  }
  if (selector.length > 0) {
    const broken = selector
      .map(([key, pattern]) => brokenRule(target, key, pattern))
      .filter((why) => why !== undefined);
    if (broken.length === 0) return undefined;
    reasons.push(...broken);
  }
  const text = reasons.join(', and ');
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function brokenRule(target: TargetCandidate, key: string, pattern: string): string | undefined {
  const properties = target.spec.properties ?? {};
  const value = Object.hasOwn(properties, key) ? properties[key] : undefined;
  if (value === undefined) return `it has no property ${JSON.stringify(key)}`;
  if (matchesPattern(pattern, value)) return undefined;
  return `its property ${JSON.stringify(key)} is ${JSON.stringify(value)}, which does not match ${JSON.stringify(pattern)}`;
}
