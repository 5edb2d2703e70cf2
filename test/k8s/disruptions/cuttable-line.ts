import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A line of bytes to a server on loopback, which can be cut at any moment. TLS goes through it untouched. */
export interface CuttableLine {
  port: number;
  /** Ends all connections of this moment; new ones are let through. @returns how many there were */
  cut(): number;
  stop(): void;
}

export async function cuttableLine(to: number): Promise<CuttableLine> {
  const lines = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(to, '127.0.0.1');
    const end = (): void => {
      near.destroy();
      far.destroy();
      lines.delete(near);
    };
    lines.add(near);
    for (const side of [near, far]) side.on('error', end).on('close', end);
    near.pipe(far).pipe(near);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = (): number => {
    const { size } = lines;
    for (const line of lines) line.destroy();
    return size;
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    stop: () => {
      server.close();
      cut();
    },
  };
}
