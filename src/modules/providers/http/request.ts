import { isPlainObject, joinPath, type ComponentSpec } from '@symphony/model';
import { textForm } from '@symphony/provider-kit';

/** The configuration of a binding, by the names of properties: what a component leaves out is taken from here. */
export type HttpConfig = Readonly<Record<string, string>>;

/** One request as a component declares it. */
export interface DeclaredRequest {
  url: URL;
  method: string;
  headers: Record<string, string>;
  /** Undefined: none is sent. */
  body: string | undefined;
  /** Whether a status means success. */
  expects: (status: number) => boolean;
}

/** All that a component says; what is undefined is never sent. */
export interface HttpDeclaration {
  apply: DeclaredRequest;
  get: DeclaredRequest | undefined;
  remove: DeclaredRequest | undefined;
  /** Once accepted, it is not sent again before it changes. */
  once: boolean;
}

/** What the requests differ in. */
const APPLY = { prefix: 'http.', method: 'POST', expect: '200' };
const GET = { prefix: 'http.get.', method: 'GET', expect: '2xx' };
const REMOVE = { prefix: 'http.delete.', method: 'DELETE', expect: '2xx,404,410' };

const CONTENT_TYPE = 'application/json; charset=UTF-8';
const TOKEN = /^[!#$%&'*+.^_`|~\w-]+$/;

/** @returns the declaration, or what is wrong with it, each with the path of the property; never with a value */
export function readDeclaration(
  component: ComponentSpec,
  defaults: HttpConfig,
): HttpDeclaration | { problems: string[] } {
  const problems: string[] = [];
  const apply = readRequest(component, defaults, APPLY, problems);
  const get = readRequest(component, defaults, GET, problems);
  const remove = readRequest(component, defaults, REMOVE, problems);
  const once = readText(component, defaults, 'http.once') ?? 'false';
  if (once !== 'true' && once !== 'false') problems.push(`${at('http.once')}: must be true or false`);
  if (!apply) problems.push(`${at('http.url')}: required property 'http.url' is missing`);
  if (problems.length > 0 || !apply) return { problems };
  return { apply, get, remove, once: once === 'true' };
}

/** @throws Error with a message that does not quote the URL: it may hold a token */
export function parseUrl(text: string): URL {
  const url = URL.canParse(text.trim()) ? new URL(text.trim()) : undefined;
  if (!url || (url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw new Error('must be an http or https URL');
  }
  return url;
}

/** A list such as `200,201`, `2xx` or `200-204`. @throws Error */
export function parseStatuses(text: string): (status: number) => boolean {
  const ranges = text.split(',').map((part): [number, number] => {
    const [, hundreds, first, last] = /^(?:([1-5])xx|([1-5]\d\d)(?:-([1-5]\d\d))?)$/i.exec(part.trim()) ?? [];
    if (hundreds !== undefined) return [Number(hundreds) * 100, Number(hundreds) * 100 + 99];
    if (first === undefined) throw new Error('must list statuses, for example 200,201 or 2xx');
    return [Number(first), Number(last ?? first)];
  });
  return (status) => ranges.some(([first, last]) => first <= status && status <= last);
}

function readRequest(
  component: ComponentSpec,
  defaults: HttpConfig,
  kind: typeof APPLY,
  problems: string[],
): DeclaredRequest | undefined {
  const { prefix } = kind;
  const read = <T>(key: string, otherwise: string, parse: (text: string) => T): T | undefined => {
    try {
      return parse(readText(component, defaults, prefix + key) ?? otherwise);
    } catch (error) {
      problems.push(`${at(prefix + key)}: ${error instanceof Error ? error.message : 'is wrong'}`);
      return undefined;
    }
  };
  if (readText(component, defaults, `${prefix}url`) === undefined) return undefined;
  const url = read('url', '', parseUrl);
  const method = read('method', kind.method, parseMethod);
  const expects = read('expect', kind.expect, parseStatuses);
  const headers = readHeaders(component, defaults, `${prefix}header.`, problems);
  // One set of credentials serves all requests to the same server.
  if (prefix !== APPLY.prefix) addMissing(headers, readHeaders(component, defaults, 'http.header.', []));
  if (!url || !method || !expects) return undefined;
  const body = readText(component, defaults, `${prefix}body`);
  const bodiless = method === 'GET' || method === 'HEAD' || (prefix !== APPLY.prefix && body === undefined);
  if (!bodiless) addMissing(headers, { 'content-type': CONTENT_TYPE });
  addMissing(headers, basicAuth(url));
  return { url, method, expects, headers, body: bodiless ? undefined : (body ?? '') };
}

/** Credentials in the URL, as Symphony has them, become a header; they stay out of every message. */
function basicAuth(url: URL): Record<string, string> {
  const { username, password } = url;
  if (username === '' && password === '') return {};
  url.username = '';
  url.password = '';
  const pair = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  return { authorization: `Basic ${Buffer.from(pair, 'utf8').toString('base64')}` };
}

function readHeaders(
  component: ComponentSpec,
  defaults: HttpConfig,
  prefix: string,
  problems: string[],
): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [key, value] of [...Object.entries(defaults), ...Object.entries(component.properties ?? {})]) {
    if (!key.startsWith(prefix)) continue;
    const name = key.slice(prefix.length).toLowerCase();
    const text = textForm(value);
    if (!TOKEN.test(name) || /[\r\n\0]/.test(text)) problems.push(`${at(key)}: is no header`);
    else headers[name] = text;
  }
  return headers;
}

function addMissing(headers: Record<string, string>, more: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(more)) headers[name] ??= value;
}

function parseMethod(text: string): string {
  const method = text.trim().toUpperCase();
  if (!/^[A-Z]{1,20}$/.test(method) || method === 'CONNECT') throw new Error('must be an HTTP method');
  return method;
}

/** The component's own value, else the binding's; an object is sent as JSON. */
function readText(component: ComponentSpec, defaults: HttpConfig, key: string): string | undefined {
  const { properties } = component;
  const value = properties && Object.hasOwn(properties, key) ? properties[key] : undefined;
  if (value === undefined || value === null || value === '') {
    return Object.hasOwn(defaults, key) ? defaults[key] : undefined;
  }
  return isPlainObject(value) || Array.isArray(value) ? JSON.stringify(value) : textForm(value);
}

function at(key: string): string {
  return joinPath('properties', key);
}
