import type { AuditEvent } from './control-plane/audit-log.js';

/**
 * What an engine has asked the API server for: how often which verb of which resource, `patch instances/status` for example;
 * each watch once.
 * @param namespace undefined: everywhere
 */
export function requestsOfEngine(events: readonly AuditEvent[], namespace?: string): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { verb, objectRef, userAgent, stage } of events) {
    if (userAgent !== 'symphony-engine' || (verb === 'watch' && stage !== 'ResponseStarted')) continue;
    if (namespace !== undefined && objectRef?.namespace !== namespace) continue;
    const { resource = '?', subresource } = objectRef ?? {};
    const what = `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
}

export function isWrite(what: string): boolean {
  return !/^(get|list|watch) /.test(what);
}
