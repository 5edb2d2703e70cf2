import { SymphonyError } from '@symphony/model';
import type { FastifyRequest } from 'fastify';

/** The names of this machine's loopback, without brackets. */
const LOOPBACK = ['localhost', '127.0.0.1', '::1'];
const HOST = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::\d*)?$/i;

/**
 * For an engine on loopback, where whoever can connect may be an administrator without a password: a web page could have its
 * own host name resolved to 127.0.0.1, and the browser of this machine would let it talk to us as to its own server. The
 * browser still says what it was asked for: the page's name in `Host`, the page in `Origin`.
 */
export class AllowedHosts {
  readonly #names: ReadonlySet<string>;
  readonly #origins: ReadonlySet<string>;

  /**
   * @param names host names beside those of loopback, without ports
   * @param origins of pages that may call although they come from elsewhere
   */
  constructor(names: readonly string[], origins: readonly string[]) {
    this.#names = new Set([...LOOPBACK, ...names.map(bare)]);
    this.#origins = new Set(origins);
  }

  /** @throws SymphonyError 421 for a foreign host, 403 for a foreign origin */
  check({ headers: { host, origin } }: FastifyRequest): void {
    if (host !== undefined && !this.#names.has(nameOf(host))) {
      throw new SymphonyError(
        'ForeignHost',
        421,
        `This engine serves its own machine only and is not called ${shown(host)}: use localhost, or add the name to http.allowedHosts.`,
      );
    }
    if (origin !== undefined && !this.#origins.has(origin) && !this.#names.has(hostOfOrigin(origin))) {
      throw new SymphonyError(
        'ForeignOrigin',
        403,
        `This engine serves its own machine only, not pages of ${shown(origin)}: add the origin to http.corsOrigins to let them in.`,
      );
    }
  }
}

/** The name in a Host header; what is no such header is nobody's name. */
function nameOf(host: string): string {
  return bare(HOST.exec(host)?.[1] ?? '');
}

/** `null`, the origin of files and sandboxed frames, is nobody's either. */
function hostOfOrigin(origin: string): string {
  return URL.canParse(origin) ? bare(new URL(origin).hostname) : '';
}

function bare(name: string): string {
  return name
    .toLowerCase()
    .replace(/^\[(.*)\]$/, '$1')
    .replace(/(.)\.$/, '$1');
}

function shown(text: string): string {
  return JSON.stringify(text.length > 100 ? `${text.slice(0, 100)}…` : text);
}
