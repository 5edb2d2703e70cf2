// Runs seeds, one after the other, in a process of its own. Arguments: first seed, how many, planted bug or "", "trace" or "", what keeps the lanes.
// Tells its parent (scripts/simulate.mjs) of each seed; without a parent it prints.
import 'reflect-metadata';
import { PLANTED_BUGS } from './planted-bugs.js';
import { LANES_KINDS, simulate } from './simulate.js';

const [from = '1', count = '1', bugName = '', trace = '', lanesName = ''] = process.argv.slice(2);
const lanes = LANES_KINDS.find((name) => name === lanesName) ?? 'table';
const bug = PLANTED_BUGS.find((name) => name === bugName);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

for (let seed = Number(from); seed < Number(from) + Number(count); seed++) {
  const result = await simulate({
    seed,
    lanes,
    ...(bug ? { bug } : {}),
    ...(trace === 'trace' ? { trace: print } : {}),
  });
  if (process.send) process.send(result);
  else print(JSON.stringify(result));
}
process.disconnect?.();
