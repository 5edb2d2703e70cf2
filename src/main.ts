import { run } from './cli/run.js';

const exitCode = await run(process.argv.slice(2), process.env);
// A server lives on. Everything else is done here, whatever a library left open; what was written goes out first.
if (exitCode !== undefined) process.stdout.write('', () => process.exit(exitCode));
