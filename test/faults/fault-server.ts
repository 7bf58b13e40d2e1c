// A mock of an etcd member, for the faults that a real one can't produce on demand. It speaks HTTP/2
// and answers each method by a script; or it speaks something else altogether.
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import type { KeyPairFiles } from '../servers/pki.ts';

/** One call of a method. */
export interface Call {
  readonly stream: http2.ServerHttp2Stream;
  readonly session: http2.ServerHttp2Session;
  /** The TCP connection below it all. */
  readonly socket: net.Socket;
  /** What the caller sent. */
  readonly headers: http2.IncomingHttpHeaders;
}

export type Answer = (call: Call) => void | Promise<void>;

/** What the server saw. */
export interface Observations {
  /** TCP connections that are open now. */
  open: number;
  pings: number;
  /** HTTP/2 error codes of the streams that have ended. */
  readonly streamEnds: number[];
}

export class FaultServer {
  readonly endpoint: string;
  readonly seen: Observations;
  readonly #server: net.Server;
  readonly #sockets: Set<net.Socket>;

  constructor(endpoint: string, server: net.Server, sockets: Set<net.Socket>, seen: Observations) {
    this.endpoint = endpoint;
    this.seen = seen;
    this.#server = server;
    this.#sockets = sockets;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    if (this.#server.listening) await once(this.#server, 'close');
  }
}

/**
 * Starts a member of which every method is a script; one without a script is never answered.
 * @param answers by the name of the method: `Snapshot`, `Status`, `MemberList`
 * @param certificate speaks TLS if given
 */
export function startFaultServer(
  answers: Readonly<Record<string, Answer>>,
  certificate?: KeyPairFiles,
): Promise<FaultServer> {
  const seen: Observations = { open: 0, pings: 0, streamEnds: [] };
  const server =
    certificate === undefined
      ? http2.createServer()
      : http2.createSecureServer({ ...readPair(certificate), ALPNProtocols: ['h2'] });
  // node:http2 hides the sockets of its sessions; the client's port tells them apart.
  const sockets = new Map<number | undefined, net.Socket>();
  server.prependListener('connection', (socket: net.Socket) => {
    sockets.set(socket.remotePort, socket);
  });
  server.on('session', (session) => {
    session.on('ping', () => (seen.pings += 1));
    session.on('error', () => undefined);
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    stream.on('close', () => seen.streamEnds.push(stream.rstCode));
    const session = stream.session as http2.ServerHttp2Session;
    const socket = sockets.get(session.socket.remotePort)!;
    const method = headers[':path']!.split('/').at(-1)!;
    void answers[method]?.({ stream, session, socket, headers });
  });
  return listen(server, certificate !== undefined, seen);
}

/**
 * Starts something that is no etcd at all.
 * @param onConnection what it does with each connection; with a certificate, once TLS is up
 */
export function startRawServer(
  onConnection: (socket: net.Socket) => void,
  certificate?: KeyPairFiles,
): Promise<FaultServer> {
  const seen: Observations = { open: 0, pings: 0, streamEnds: [] };
  const handler = (socket: net.Socket): void => {
    socket.on('error', () => undefined);
    onConnection(socket);
  };
  const server =
    certificate === undefined
      ? net.createServer(handler)
      : tls.createServer({ ...readPair(certificate), ALPNProtocols: ['h2'] }, handler);
  return listen(server, certificate !== undefined, seen);
}

async function listen(
  server: net.Server,
  secure: boolean,
  seen: Observations,
): Promise<FaultServer> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    seen.open += 1;
    socket.on('error', () => undefined);
    socket.on('close', () => {
      sockets.delete(socket);
      seen.open -= 1;
    });
  });
  server.on('tlsClientError', () => undefined);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const scheme = secure ? 'https' : 'http';
  return new FaultServer(`${scheme}://127.0.0.1:${port}`, server, sockets, seen);
}

function readPair({ cert, key }: KeyPairFiles) {
  return { cert: readFileSync(cert), key: readFileSync(key) };
}
