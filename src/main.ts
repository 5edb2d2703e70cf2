import { run } from './cli/run.js';

const exitCode = await run(process.argv.slice(2), process.env);
// A server that listens keeps the process alive; everything else is done here, whatever handle a library left open.
if (exitCode === 0) process.exitCode = 0;
else process.exit(exitCode);
