/** `node --import`: appends the address of every module that is loaded to the file that MODULES_FILE names. */
import { appendFileSync } from 'node:fs';
import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

// Node loads this file twice: here to register it, and again on its hooks thread.
if (isMainThread) register(import.meta.url);

/** @type {import('node:module').LoadHook} */
export const load = async (url, context, next) => {
  appendFileSync(process.env['MODULES_FILE'] ?? '', `${url}\n`);
  // What the next hook answers is passed on as it is.
  // oxlint-disable-next-line typescript/no-unsafe-return
  return await next(url, context);
};
