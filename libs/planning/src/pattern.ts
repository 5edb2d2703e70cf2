/**
 * Symphony's wildcards, anchored at both ends: `*` is any run of characters, `%` exactly one, everything else stands
 * for itself, case-sensitive. Never slower than pattern length times text length, whatever the pattern.
 */
export function matchesPattern(pattern: string, text: string): boolean {
  if (!/[*%]/.test(pattern)) return pattern === text;
  // By code point, so that `%` is one character and not half of an emoji.
  const wanted = Array.from(pattern);
  const given = Array.from(text);
  let p = 0;
  let t = 0;
  let star = -1;
  let resumeAt = 0;
  while (t < given.length) {
    if (wanted[p] === '*') {
      star = p++;
      resumeAt = t;
    } else if (p < wanted.length && (wanted[p] === '%' || wanted[p] === given[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      // Only the last star need give way: what the earlier ones took can stay, so there is no backtracking blow-up.
      p = star + 1;
      t = ++resumeAt;
    } else return false;
  }
  while (wanted[p] === '*') p++;
  return p === wanted.length;
}
