import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { certificatePair } from '../../../test/fixtures/certificates.ts';
import { Random } from '../../../test/fixtures/random.ts';
import { dialPeer } from './peer-dial.ts';

const TIMEOUT_MS = 400;

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.close();
  });
  await once(server, 'listening');
  const address = server.address();
  return `127.0.0.1:${typeof address === 'object' ? address!.port : 0}`;
}

/** A server that does this with each connection. */
const doing = (act: (socket: Socket) => void): Promise<string> =>
  listen(
    createServer((socket) => {
      socket.on('error', () => undefined);
      onTestFinished(() => {
        socket.destroy();
      });
      act(socket);
    }),
  );

const dial = (url: string, signal = new AbortController().signal) =>
  dialPeer(url, TIMEOUT_MS, signal);

describe('whoever', () => {
  const pair = certificatePair(new Random(4));
  const secure = (options: object): Promise<string> =>
    listen(createTlsServer({ key: pair['tls.key'], cert: pair['tls.crt'], ...options }));

  it.each([
    ['a server of TLS', {}],
    ['one that wants a client certificate', { requestCert: true, rejectUnauthorized: true }],
    ['one that wants it in TLS 1.2', { requestCert: true, maxVersion: 'TLSv1.2' }],
    ['one with which nothing is agreed on', { maxVersion: 'TLSv1.1', minVersion: 'TLSv1.1' }],
  ])('is %s answers', async (_, options) => {
    expect(await dial(`https://${await secure(options)}`)).toEqual({
      state: 'alive',
      seen: 'answers',
    });
  });

  it('says one byte in the clear answers, and to TLS anything that is no TLS', async () => {
    const address = await doing((socket) => socket.once('data', () => socket.write('?')));
    expect((await dial(`http://${address}`)).state).toBe('alive');
    const text = await doing((socket) => socket.end('HTTP/1.0 400 Bad Request\r\n\r\n'));
    expect((await dial(`https://${text}`)).state).toBe('alive');
  });

  it.each(['http', 'https'])('accepts and says nothing is not known: %s', async (scheme) => {
    const address = await doing(() => undefined);
    expect(await dial(`${scheme}://${address}`)).toEqual({
      state: 'silent',
      seen: 'accepts the connection and says nothing within 0.4 s',
    });
  });

  it.each([
    ['http', (socket: Socket) => socket.end()],
    ['http', (socket: Socket) => socket.resetAndDestroy()],
    ['https', (socket: Socket) => socket.end()],
    ['https', (socket: Socket) => socket.resetAndDestroy()],
  ])('closes the connection is not known: %s', async (scheme, act) => {
    const { state, seen } = await dial(`${scheme}://${await doing(act)}`);
    expect(state).toBe('silent');
    expect(seen).toMatch(/^(closes the connection|the connection was reset)$/);
  });

  it('refuses has nobody there', async () => {
    const server = createServer();
    const address = await listen(server);
    server.close();
    expect(await dial(`https://${address}`)).toEqual({ state: 'refused', seen: 'refuses' });
  });

  it.each([
    ['https://no-such-host.invalid:2379', /^its name does not resolve/],
    ['https://', /cannot be dialled/],
    ['nonsense', /cannot be dialled/],
  ])('is at %s is not known', async (url, seen) => {
    expect(await dial(url)).toEqual({
      state: 'silent',
      seen: expect.stringMatching(seen) as string,
    });
  });

  it('is dialled is let go when it is told to stop', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const address = await doing(() => {
      stop.abort(reason);
    });
    await expect(dial(`https://${address}`, stop.signal)).rejects.toBe(reason);
  });
});
