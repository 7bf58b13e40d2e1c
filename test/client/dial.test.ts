import { once } from 'node:events';
import { connect as connectSocket, createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ClientOptions } from '../../src/etcd/client/client.ts';
import { startFaultServer, startRawServer } from '../faults/fault-server.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { CertificateAuthority, EXPIRED, type KeyPairFiles, NOT_YET_VALID } from '../servers/pki.ts';
import { clientOptions, connect, errorOf } from './connect.ts';

const DIAL_MS = 300;

let directory: string;
let authority: CertificateAuthority;
let certificate: KeyPairFiles;
beforeAll(async () => {
  directory = temporaryDirectory();
  authority = await CertificateAuthority.create(directory);
  certificate = await authority.issue('mock', { commonName: 'mock', names: ['127.0.0.1'] });
});
afterAll(() => removeTemporaryDirectory(directory));

const dialOptions = (endpoint: string, overrides: Partial<ClientOptions> = {}) =>
  clientOptions(endpoint, { ca: authority.cert }, { dialTimeoutMs: DIAL_MS, ...overrides });

async function dialError(endpoint: string, overrides: Partial<ClientOptions> = {}) {
  const begin = performance.now();
  const error = await errorOf(connect(dialOptions(endpoint, overrides)));
  // One attempt, and one question in the other protocol.
  expect(performance.now() - begin).toBeLessThan(2 * DIAL_MS + 1000);
  expect(error.position.endpoint).toBe(endpoint);
  return error;
}

const secure = (endpoint: string): string => endpoint.replace('http:', 'https:');
const plain = (endpoint: string): string => endpoint.replace('https:', 'http:');

describe('what listens is no etcd', () => {
  it.each([
    ['says nothing', () => undefined, 'connection-timed-out', 'connection-timed-out'],
    [
      'speaks another protocol',
      (socket) => void socket.write('SSH-2.0-OpenSSH_9.2p1\r\n'),
      'response-invalid',
      'tls-failed',
    ],
    [
      'speaks HTTP/1.1',
      (socket) => void socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n'),
      'response-invalid',
      'tls-failed',
    ],
    ['closes the connection', (socket) => void socket.end(), 'connection-lost', 'tls-failed'],
    [
      'resets the connection',
      (socket) => void socket.resetAndDestroy(),
      'connection-lost',
      // The reset may be noticed before or after the connection counts as open.
      /^(tls-failed|connection-lost)$/,
    ],
  ] as const satisfies readonly (readonly [
    string,
    Parameters<typeof startRawServer>[0],
    string,
    string | RegExp,
  ])[])('it %s', async (_, onConnection, plainCode, tlsCode) => {
    await using server = await startRawServer(onConnection);
    expect((await dialError(server.endpoint)).code).toBe(plainCode);
    expect((await dialError(secure(server.endpoint))).code).toMatch(tlsCode);
  });

  it('it completes TLS and says nothing', async () => {
    await using server = await startRawServer(() => undefined, certificate);
    const error = await dialError(server.endpoint);
    expect(error.code).toBe('connection-timed-out');
    expect(error.message).not.toContain('TLS handshake');
  });

  it('it accepts a connection and says nothing to TLS', async () => {
    await using server = await startRawServer(() => undefined);
    const error = await dialError(secure(server.endpoint));
    expect(error.message).toContain('TLS handshake');
  });

  it('it completes TLS and speaks another protocol', async () => {
    await using server = await startRawServer(
      (socket) => void socket.write('220 mail.example.com ESMTP\r\n'),
      certificate,
    );
    expect((await dialError(server.endpoint)).code).toBe('response-invalid');
  });
});

describe('the wrong protocol is named', () => {
  it('plain text to a TLS port', async () => {
    await using server = await startFaultServer({}, certificate);
    expect((await dialError(plain(server.endpoint))).code).toBe('plain-on-tls-port');
  });

  it('TLS to a plain port', async () => {
    await using server = await startFaultServer({});
    expect((await dialError(secure(server.endpoint))).code).toBe('tls-on-plain-port');
  });
});

describe('the question in the other protocol', () => {
  it('is answered in TLS by a port that explained itself in plain text', async () => {
    await using member = await startFaultServer({}, certificate);
    await using server = await startRawServer((socket) => {
      socket.once('data', (bytes: Buffer) => {
        // A handshake record (RFC 8446 section 5.1), or anything else: as nginx does.
        if (bytes[0] !== 22) {
          socket.end('HTTP/1.1 400 The plain HTTP request was sent to HTTPS port\r\n\r\n');
          return;
        }
        const onward = connectSocket(Number(new URL(member.endpoint).port), '127.0.0.1');
        onward.on('error', () => undefined);
        onward.write(bytes);
        onward.pipe(socket).pipe(onward);
      });
    });
    expect((await dialError(server.endpoint)).code).toBe('plain-on-tls-port');
  });

  it.each(['http', 'https'])('is not answered at all, after %s', async (scheme) => {
    let connections = 0;
    await using server = await startRawServer((socket) => {
      connections += 1;
      if (connections === 1) socket.destroy();
    });
    const error = await dialError(server.endpoint.replace('http', scheme));
    expect(error.code).toBe(scheme === 'http' ? 'connection-lost' : 'tls-failed');
    expect(connections).toBe(2);
  });
});

describe("the member's certificate", () => {
  const names = ['127.0.0.1'];

  it.each([
    ['has expired', { names, ...EXPIRED }, 'tls-server-certificate-expired'],
    ['is not valid yet', { names, ...NOT_YET_VALID }, 'tls-server-certificate-expired'],
    ['is for another address', { names: ['127.0.0.2'] }, 'tls-name-mismatch'],
    ['is for a name alone', { names: ['localhost'] }, 'tls-name-mismatch'],
  ])('%s', async (name, options, code) => {
    const pair = await authority.issue(name.replaceAll(' ', '-'), {
      commonName: 'etcd',
      ...options,
    });
    await using server = await startFaultServer({}, pair);
    expect((await dialError(server.endpoint)).code).toBe(code);
    // Told not to verify, it does not.
    const unverified = dialOptions(server.endpoint, { insecureSkipVerify: true });
    await (await connect(unverified))[Symbol.asyncDispose]();
  });

  it('is from an authority that is not named', async () => {
    const other = await CertificateAuthority.create(join(directory, 'other'));
    const pair = await other.issue('etcd', { commonName: 'etcd', names });
    await using server = await startFaultServer({}, pair);
    expect((await dialError(server.endpoint)).code).toBe('tls-authority-unknown');
    // Without a CA bundle the roots of the system are trusted, and they did not issue it either.
    const error = await errorOf(connect(clientOptions(server.endpoint)));
    expect(error.code).toBe('tls-authority-unknown');
  });
});

describe('nothing is there', () => {
  it('nothing listens at the port', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    server.close();
    await once(server, 'close');
    expect((await dialError(`http://127.0.0.1:${port}`)).code).toBe('connection-refused');
    expect((await dialError(`https://127.0.0.1:${port}`)).code).toBe('connection-refused');
  });

  it('the socket does not exist', async () =>
    expect((await dialError(`unix://${directory}/none.sock`)).code).toBe('connection-refused'));

  it('the host name does not resolve', async () => {
    // RFC 6761 section 6.4: no such name will ever exist.
    const error = await dialError('http://etcd.invalid:2379', { dialTimeoutMs: 10_000 });
    expect(error.code).toBe('endpoint-not-found');
  }, 15_000);
});

describe('an abort', () => {
  const reason = new Error('SIGINT');

  it.each([
    ['while the member keeps silent', () => undefined],
    // The connection was cut, and the question in the other protocol is under way.
    ['while the other protocol is tried', (socket) => void socket.end()],
  ] as const satisfies readonly (readonly [string, Parameters<typeof startRawServer>[0]])[])(
    '%s',
    async (_, onConnection) => {
      let connections = 0;
      await using server = await startRawServer((socket) => {
        connections += 1;
        if (connections === 1) onConnection(socket);
      });
      const controller = new AbortController();
      setTimeout(() => controller.abort(reason), 100);
      const options = { signal: controller.signal, dialTimeoutMs: 60_000 };
      await expect(connect(dialOptions(server.endpoint, options))).rejects.toBe(reason);
    },
    5000,
  );

  it('before the start', async () => {
    const signal = AbortSignal.abort(reason);
    await expect(connect(dialOptions('http://127.0.0.1:1', { signal }))).rejects.toBe(reason);
  });
});

it('a zone of an address is not sent to the member', async () => {
  // The loopback has no link-local address; that it is dialled at all shows that the URL was made.
  const error = await dialError('http://[fe80::1%lo]:2379');
  expect(error.code).not.toBe('connection-lost');
});
