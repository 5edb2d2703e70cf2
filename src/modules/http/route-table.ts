import type { FastifyInstance } from 'fastify';

interface KnownRoute {
  segments: readonly string[];
  methods: readonly string[];
}

/** Which methods a path knows: the router itself tells a wrong method from an unknown path by nothing. */
export class RouteTable {
  private readonly routes: KnownRoute[] = [];

  /** Must be made before the routes are registered. */
  constructor(fastify: FastifyInstance) {
    fastify.addHook('onRoute', ({ url, method }) => {
      this.routes.push({ segments: segmentsOf(url), methods: [method].flat() });
    });
  }

  /** The methods of a path without its query, sorted, OPTIONS among them; empty when no route has this path. */
  methodsOf(path: string): string[] {
    const segments = segmentsOf(path);
    const methods = this.routes
      .filter((route) => matches(route.segments, segments))
      .flatMap((route) => route.methods);
    return methods.length === 0 ? [] : [...new Set([...methods, 'OPTIONS'])].sort();
  }
}

/** Double and trailing slashes are served like single ones. */
function segmentsOf(path: string): string[] {
  return path
    .split('/')
    .filter((segment) => segment !== '')
    .map(decoded);
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment;
  }
}

function matches(pattern: readonly string[], path: readonly string[]): boolean {
  for (const [index, part] of pattern.entries()) {
    if (part === '*') return true;
    const optional = part.startsWith(':') && part.endsWith('?');
    if (path[index] === undefined) return optional && index === pattern.length - 1;
    if (!part.startsWith(':') && part !== path[index]) return false;
  }
  return pattern.length === path.length;
}
