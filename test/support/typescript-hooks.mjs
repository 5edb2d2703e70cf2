/**
 * Module hooks that let `node --import ./test/support/typescript-hooks.mjs file.ts` run the project's TypeScript: for
 * tests that need a process of their own (to kill it), without a build.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
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
  const { default: ts } = await import('typescript');
  const { outputText } = ts.transpileModule(await readFile(fileURLToPath(url), 'utf8'), {
    fileName: fileURLToPath(url),
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      useDefineForClassFields: false,
      inlineSourceMap: true,
    },
  });
  return { format: 'module', source: outputText, shortCircuit: true };
};
