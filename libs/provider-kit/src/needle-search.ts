import type { Needle } from './secret-forms.js';

/** Characters at the beginning of a needle that one look at the text tells apart. */
const PREFIX = 4;
const HASHES = 1 << 16;

/** Finds many needles in one pass over a text, whatever their number. */
export class NeedleSearch {
  private readonly short: readonly Needle[];
  private readonly byHash = new Map<number, Needle[]>();
  private readonly isKnown = new Uint8Array(HASHES);

  constructor(needles: readonly Needle[]) {
    this.short = needles.filter(({ text }) => text.length < PREFIX);
    for (const needle of needles) {
      if (needle.text.length < PREFIX) continue;
      let hash = 0;
      for (let at = 0; at < PREFIX; at++) hash = roll(hash, needle.text.charCodeAt(at));
      this.isKnown[hash] = 1;
      const same = this.byHash.get(hash);
      if (same) same.push(needle);
      else this.byHash.set(hash, [needle]);
    }
  }

  /** Calls `found` for each occurrence; they may overlap. */
  each(text: string, found: (needle: Needle, at: number) => void): void {
    for (const needle of this.short) {
      for (let at = text.indexOf(needle.text); at >= 0; at = text.indexOf(needle.text, at + 1))
        found(needle, at);
    }
    if (this.byHash.size === 0) return;
    let hash = 0;
    for (let end = 0; end < text.length; end++) {
      hash = roll(hash, text.charCodeAt(end));
      if (this.isKnown[hash] === 0) continue;
      const at = end - PREFIX + 1;
      if (at < 0) continue;
      for (const needle of this.byHash.get(hash) ?? [])
        if (text.startsWith(needle.text, at)) found(needle, at);
    }
  }
}

/** The hash of the last four characters: what came before them has been shifted out. */
function roll(hash: number, code: number): number {
  return ((hash << 4) ^ code) & (HASHES - 1);
}
