// A mock of a network that swallows: a relay in front of a server that, once told to, passes on nothing
// more of what the client says. The server's own HTTP/2 library could not be kept from answering pings.
import net from 'node:net';
import { type FaultServer, startRawServer } from './fault-server.ts';

export interface DeafRelay {
  readonly server: FaultServer;
  /** From now on, nothing that the client says arrives. */
  deafen(): void;
}

/** Starts a relay to a plain-text endpoint. */
export async function startDeafRelay(endpoint: string): Promise<DeafRelay> {
  let deaf = false;
  const { hostname, port } = new URL(endpoint);
  const server = await startRawServer((client) => {
    const member = net.connect(Number(port), hostname);
    member.on('error', () => undefined);
    member.pipe(client);
    client.on('data', (bytes: Buffer) => {
      if (!deaf) member.write(bytes);
    });
    client.on('close', () => member.destroy());
  });
  return { server, deafen: () => (deaf = true) };
}
