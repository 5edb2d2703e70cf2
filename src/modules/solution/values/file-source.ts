import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { LookupAnswer, LookupNeed } from '@symphony/expressions';
import { parse } from 'yaml';
import type { ValueSource } from './value-source.js';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,252}$/;
const MAX_BYTES = 1024 * 1024;

/**
 * Files: `$secret(db, password)` reads `<folder>/<namespace>/db/password`, the layout of mounted secrets;
 * `$config(app, level)` reads the key `level` of `<folder>/<namespace>/app.yaml` (or .json).
 */
export class FileSource implements ValueSource {
  readonly name = 'file';

  constructor(private readonly folders: { secret?: string; config?: string }) {}

  async lookup(need: LookupNeed, namespace: string, signal: AbortSignal): Promise<LookupAnswer> {
    const folder = this.folders[need.kind];
    if (folder === undefined)
      return { failure: 'NotFound', message: `no folder for ${need.kind}s is configured` };
    const names = need.field === '' ? [namespace, need.object] : [namespace, need.object, need.field];
    const odd = names.find((name) => !NAME.test(name));
    if (odd !== undefined && (need.kind === 'secret' || odd !== need.field)) {
      return { failure: 'NotFound', message: 'the name is not one that a file could have' };
    }
    const base = path.join(folder, namespace);
    return need.kind === 'secret'
      ? secretOf(path.join(base, need.object, need.field), need, signal)
      : configOf(base, need, signal);
  }
}

async function secretOf(file: string, need: LookupNeed, signal: AbortSignal): Promise<LookupAnswer> {
  if (need.field === '') return { failure: 'NotFound', message: 'a secret is read by field' };
  const text = await textOf(file, signal);
  // Editors and `echo` end files with a newline that is not part of the secret.
  return typeof text === 'string' ? { value: text.replace(/\r?\n$/, ''), sensitive: true } : text;
}

async function configOf(base: string, need: LookupNeed, signal: AbortSignal): Promise<LookupAnswer> {
  for (const extension of ['.yaml', '.yml', '.json']) {
    const text = await textOf(path.join(base, need.object + extension), signal);
    if (typeof text !== 'string') {
      if (text.failure === 'NotFound') continue;
      return text;
    }
    return fieldOf(text, need);
  }
  return { failure: 'NotFound', message: `there is no configuration ${need.object}` };
}

function fieldOf(text: string, need: LookupNeed): LookupAnswer {
  let content: unknown;
  try {
    content = parse(text, { maxAliasCount: 100 });
  } catch {
    return { failure: 'Failed', message: `the configuration ${need.object} is not valid YAML` };
  }
  if (need.field === '') return { value: content };
  const isMap = typeof content === 'object' && content !== null && !Array.isArray(content);
  if (isMap && Object.hasOwn(content as object, need.field)) {
    return { value: (content as Record<string, unknown>)[need.field] };
  }
  return { failure: 'NotFound', message: `the configuration ${need.object} has no field ${need.field}` };
}

type Unread = Extract<LookupAnswer, { failure: string }>;

async function textOf(file: string, signal: AbortSignal): Promise<string | Unread> {
  try {
    const content = await readFile(file, { signal });
    if (content.byteLength > MAX_BYTES)
      return { failure: 'Failed', message: 'the file is larger than 1 MiB' };
    return content.toString('utf8');
  } catch (error) {
    signal.throwIfAborted();
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return { failure: 'NotFound', message: 'there is no such file' };
    return { failure: 'Failed', message: `the file cannot be read (${code ?? 'unknown error'})` };
  }
}
