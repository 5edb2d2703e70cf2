import type { IncomingHttpHeaders } from 'node:http';

/** Who passed a request on. Whoever does not lead passes no request on that has it: there are no loops. */
export const HOP_HEADER = 'x-symphony-forwarded-by';

/** Of one connection, not of the request or the answer (RFC 9110, 7.6.1). */
const OF_THE_CONNECTION = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];
/** The origin was judged by the replica that the page called; the leader is called by its address, and not by a page. */
const NOT_FOR_THE_LEADER = new Set([...OF_THE_CONNECTION, 'host', 'expect', 'origin', 'cookie', 'referer']);
/** What the replica that was called says itself. */
const NOT_OF_THE_LEADER = new Set([...OF_THE_CONNECTION, 'date', 'vary', 'set-cookie', 'server']);

type Headers = Record<string, string | string[]>;

export function headersForLeader(headers: IncomingHttpHeaders, identity: string): Headers {
  return { ...without(headers, NOT_FOR_THE_LEADER), [HOP_HEADER]: identity };
}

export function headersForCaller(headers: IncomingHttpHeaders): Headers {
  const passed = without(headers, NOT_OF_THE_LEADER);
  return Object.fromEntries(Object.entries(passed).filter(([name]) => !name.startsWith('access-control-')));
}

function without(headers: IncomingHttpHeaders, names: ReadonlySet<string>): Headers {
  const named = (headers.connection ?? '').split(',').map((name) => name.trim().toLowerCase());
  return Object.fromEntries(
    Object.entries(headers).filter(
      (entry): entry is [string, string | string[]] =>
        entry[1] !== undefined && !names.has(entry[0]) && !named.includes(entry[0]),
    ),
  );
}
