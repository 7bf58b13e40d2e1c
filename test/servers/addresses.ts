// Addresses for test members. All of 127.0.0.0/8 is the loopback on Linux, so every member gets an
// address of its own and etcd's usual ports: a host's etcd.env names members by address alone.
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

export const CLIENT_PORT = 2379;
export const PEER_PORT = 2380;

const ATTEMPTS = 20;

/** A loopback address on which nothing listens at these ports; etcd's by default. */
export async function freeLoopbackAddress(
  ports: readonly number[] = [CLIENT_PORT, PEER_PORT],
): Promise<string> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    // Neither 127.0.x.x, where everything else on a machine listens, nor a broadcast-looking one.
    const address = ['127', randomInt(1, 255), randomInt(1, 255), randomInt(1, 255)].join('.');
    const free = await Promise.all(ports.map((port) => isFree(address, port)));
    if (!free.includes(false)) return address;
  }
  throw new Error(`no free loopback address in ${ATTEMPTS} attempts`);
}

function isFree(address: string, port: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const server = createServer();
  server.once('error', () => resolve(false));
  server.listen({ host: address, port }, () => server.close(() => resolve(true)));
  return promise;
}
