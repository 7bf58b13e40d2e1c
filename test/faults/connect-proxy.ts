// A forward proxy for tests: CONNECT (RFC 9110, 9.3.6) with a password, to where names are said to lead.
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

export interface ConnectProxy {
  /** With its credentials: `http://user:password@127.0.0.1:PORT`. */
  readonly url: string;
  /** `host:port` of every request, in order. */
  readonly asked: readonly string[];
  /** How many came without the right credentials. */
  readonly refused: number;
  [Symbol.asyncDispose](): Promise<void>;
}

/** @param routes the address that a name is reached at: `{ 'api-int:6443': '127.1.2.3:6443' }` */
export async function startConnectProxy(
  routes: Readonly<Record<string, string>>,
  credentials = 'backup:s3cret',
): Promise<ConnectProxy> {
  const asked: string[] = [];
  const sockets = new Set<Socket>();
  let refused = 0;
  const expected = `Basic ${Buffer.from(credentials).toString('base64')}`;
  const server = createServer((_request, response) => response.writeHead(405).end());
  server.on('connection', (socket) => sockets.add(socket));
  server.on('connect', (request, client: Socket) => {
    client.on('error', () => client.destroy());
    asked.push(request.url!);
    const route = routes[request.url!];
    if (request.headers['proxy-authorization'] !== expected) refused += 1;
    if (request.headers['proxy-authorization'] !== expected || route === undefined) {
      client.end(`HTTP/1.1 ${route === undefined ? 502 : 407} No\r\n\r\n`);
      return;
    }
    const [host, port] = route.split(':');
    const upstream = connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client).pipe(upstream);
    });
    sockets.add(upstream);
    upstream.on('error', () => client.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://${credentials}@127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    get refused() {
      return refused;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
