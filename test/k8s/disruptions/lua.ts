import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';

const CONFIG = join(import.meta.dirname, '../../../deploy/argocd-health.yaml');
/** Argo CD's own is 5.1; what differs the snippet has no use for. */
const INTERPRETERS = ['lua5.4', 'lua5.3', 'lua5.1', 'lua'];

/** The interpreter that is there; undefined where there is none. */
export function findLua(): string | undefined {
  return INTERPRETERS.find((name) => spawnSync(name, ['-v']).status === 0);
}

export interface Health {
  status: string;
  message: string;
}

/** What Argo CD says of an object, by the snippet that ships. */
export async function healthOf(lua: string, object: { apiVersion?: string; kind?: string }): Promise<Health> {
  const { data } = parse(readFileSync(CONFIG, 'utf8')) as { data: Record<string, string> };
  const group = object.apiVersion?.split('/')[0];
  const snippet = data[`resource.customizations.health.${group}_${object.kind}`];
  if (snippet === undefined) throw new Error(`no snippet for ${object.kind}`);
  const program = `local obj = ${literal(object)}
local function health() ${snippet} end
local hs = health()
io.write(hs.status, "\\n", hs.message)`;
  const { stdout } = await promisify(execFile)(lua, ['-e', program], { timeout: 10_000 });
  const [status = '', ...message] = stdout.split('\n');
  return { status, message: message.join('\n') };
}

/** A JSON value as Lua writes it. */
function literal(value: unknown): string {
  if (value === null || value === undefined) return 'nil';
  if (typeof value === 'string') return `"${[...Buffer.from(value)].map(byte).join('')}"`;
  if (typeof value !== 'object') return JSON.stringify(value);
  if (Array.isArray(value)) return `{${value.map(literal).join(',')}}`;
  const fields = Object.entries(value).map(([name, each]) => `[${literal(name)}]=${literal(each)}`);
  return `{${fields.join(',')}}`;
}

function byte(code: number): string {
  return `\\${String(code).padStart(3, '0')}`;
}
