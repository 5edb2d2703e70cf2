import { cpus, loadavg, totalmem } from 'node:os';
import { version } from '../../../src/config/version.js';

/** One line of the report. Everything that a bench has to say goes to the standard output. */
export function say(text = ''): void {
  process.stdout.write(`${text}\n`);
}

/** What a figure depends on; without it no figure means anything. @param store what keeps the objects */
export function describeMachine(store: string): void {
  const [cpu] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  say(`Machine   ${cpu?.model.trim() ?? 'unknown processor'}, ${cpus().length} cores, ${gib} GiB`);
  say(`Versions  engine ${version()}, Node ${process.versions.node}, ${store}`);
  say(`Load      ${(loadavg()[0] ?? 0).toFixed(1)} when it began`);
}

export type Cell = string | number;

/** A table in Markdown, with numbers to the right, so that it can be put into a page as it is. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): void {
  const texts = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? numberText(cell) : cell)));
  const widths = head.map((title, i) => Math.max(title.length, ...texts.map((row) => row[i]?.length ?? 0)));
  const right = head.map((_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === 'number'));
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, i) => (right[i] ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0))).join(' | ')} |`;
  say();
  say(line(head));
  say(
    `| ${widths.map((width, i) => (right[i] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width))).join(' | ')} |`,
  );
  for (const row of texts) say(line(row));
  say();
}

/** Three digits that count, with separators between thousands. */
function numberText(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}

/** @param share 0.5 is the median. @param values milliseconds or whatever; may be in any order */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

export function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}

/** Milliseconds that the work took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Small sizes: shows that the bench works, not how fast the engine is. */
export const quick = process.argv.includes('--quick');

/** The database of standalone mode, for `describeMachine`. */
export function postgresText(serverVersion: string): string {
  return `PostgreSQL ${serverVersion} (embedded, fsync on)`;
}
