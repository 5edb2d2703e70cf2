import { TLSSocket } from 'node:tls';
import { SymphonyError } from '@symphony/model';
import type { FastifyRequest } from 'fastify';
import { isLoopback } from '../../../modules/auth/index.js';

/**
 * Refuses a token, or a password, that came over the network for all to read. Judged by the connection: what a proxy says about the
 * way before it proves nothing, and the way from the proxy to us is one of the cluster's network.
 * @throws SymphonyError (403) `TlsRequired`
 */
export function refusePlainHttp({ raw: { socket } }: Pick<FastifyRequest, 'raw'>): void {
  if (socket instanceof TLSSocket || isThisMachine(socket.remoteAddress)) return;
  throw new SymphonyError(
    'TlsRequired',
    403,
    'Tokens and passwords are not taken over plain HTTP, and this one should be replaced: use https, and give the engine a certificate with --tls-cert and --tls-key.',
  );
}

/** An IPv4 address of a socket that listens on both has a prefix. */
function isThisMachine(address: string | undefined): boolean {
  return address !== undefined && isLoopback(address.replace(/^::ffff:/i, ''));
}
