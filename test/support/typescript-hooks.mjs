/**
 * Module hooks that let `node --import ./test/support/typescript-hooks.mjs file.ts` run the project's TypeScript: for
 * tests that need a process of their own (to kill it), without a build.
 */
import { existsSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { isMainThread } from 'node:worker_threads';
import { register } from 'node:module';
import { fileURLToPath } from 'node:url';

// Node loads this file twice: here to register it, and again on its hooks thread.
if (isMainThread) register(import.meta.url);

// What the next hook answers is passed on as it is.
/* oxlint-disable typescript/no-unsafe-return */

/** @type {import('node:module').ResolveHook} */
export const resolve = async (specifier, context, next) => {
  const lib = /^@symphony\/([a-z-]+)$/.exec(specifier)?.[1];
  if (lib !== undefined)
    return { url: new URL(`../../libs/${lib}/src/index.ts`, import.meta.url).href, shortCircuit: true };
  if (specifier.startsWith('.') && specifier.endsWith('.js') && context.parentURL) {
    const source = new URL(specifier.replace(/\.js$/, '.ts'), context.parentURL);
    if (existsSync(source)) return { url: source.href, shortCircuit: true };
  }
  return await next(specifier, context);
};

/** @type {import('node:module').LoadHook} */
export const load = async (url, context, next) => {
  if (!url.startsWith('file:') || !url.endsWith('.ts')) return await next(url, context);
  const path = fileURLToPath(url);
  const text = await readFile(path, 'utf8');
  const cached = new URL(createHash('sha256').update(text).digest('hex'), CACHE);
  const known = await readFile(cached, 'utf8').catch(() => undefined);
  return { format: 'module', source: known ?? (await translate(path, text, cached)), shortCircuit: true };
};

/** Loading the compiler takes longer than all else that such a process does: once per text is enough. */
const CACHE = new URL('../../node_modules/.cache/typescript-hooks/', import.meta.url);

/**
 * @param {string} path
 * @param {string} text
 * @param {URL} cached
 */
async function translate(path, text, cached) {
  const { default: ts } = await import('typescript');
  const { outputText } = ts.transpileModule(text, {
    fileName: path,
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      useDefineForClassFields: false,
      inlineSourceMap: true,
    },
  });
  const partial = `${fileURLToPath(cached)}.${process.pid}`;
  // A process of another user may not write there, and does without.
  await mkdir(CACHE, { recursive: true })
    .then(() => writeFile(partial, outputText))
    .then(() => rename(partial, cached))
    .catch(() => undefined);
  return outputText;
}
