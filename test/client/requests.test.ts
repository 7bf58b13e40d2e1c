import { describe, expect, it } from 'vitest';
import {
  answersHeaders,
  answersPage,
  endsBare,
  endsWell,
  endsWith,
  GRPC_HEADERS,
  hangsUp,
  resets,
  resetsConnection,
  sends,
  stalls,
} from '../faults/answers.ts';
import { type Answer, startFaultServer } from '../faults/fault-server.ts';
import { envelope } from '../faults/snapshot-messages.ts';
import { CollectingSink, clientOptions, connect, errorOf, snapshotOptions } from './connect.ts';

const TIMEOUT_MS = 300;

// StatusResponse with field 2, version: "3.7.3".
const BODY = Buffer.from('\x12\x053.7.3');
const STATUS = envelope(BODY);

const trailing = (status: string, message: string): Answer =>
  endsWith({ 'grpc-status': status, 'grpc-message': message });

describe('a request that is not answered as etcd does', () => {
  it.each<[string, Answer, string]>([
    ['no answer', stalls, 'request-timed-out'],
    ['a message and then nothing', sends([STATUS], stalls), 'request-timed-out'],
    ['a message without a status', sends([STATUS], endsBare), 'connection-lost'],
    ['an end without anything', sends([], endsBare), 'connection-lost'],
    ['an end inside the message', sends([STATUS.subarray(0, 8)], endsBare), 'connection-lost'],
    ['the stream is reset', sends([], resets), 'connection-lost'],
    ['the stream is reset before an answer', resets, 'connection-lost'],
    ['the connection is closed', sends([STATUS], hangsUp), 'connection-lost'],
    ['the connection is closed before an answer', hangsUp, 'connection-lost'],
    ['the connection is reset', resetsConnection, 'connection-lost'],
    ['GOAWAY with an error', ({ session }) => session.goaway(11), 'connection-lost'],
    ['a status without a message', sends([], endsWell), 'response-invalid'],
    ['two messages', sends([STATUS, STATUS], endsWell), 'response-invalid'],
    ['bytes that are no message', sends([envelope(Buffer.of(0xff))], endsWell), 'response-invalid'],
    ['a compressed message', sends([envelope(BODY, 1)], endsWell), 'response-invalid'],
    [
      'a message shorter than it says',
      sends([STATUS.subarray(0, 9)], endsWell),
      'response-invalid',
    ],
    ['a message longer than it says', sends([STATUS, BODY], endsWell), 'response-invalid'],
    [
      'an encoding that was not offered',
      ({ stream }) => stream.respond({ ...GRPC_HEADERS, 'grpc-encoding': 'gzip' }),
      'response-invalid',
    ],
    ['HTTP 403 of a proxy', answersPage(403), 'response-invalid'],
    ['HTTP 502 of a proxy', answersPage(502), 'response-invalid'],
    ['a page of a proxy', answersPage(200), 'response-invalid'],
    ['status 14', sends([], trailing('14', 'etcdserver: no leader')), 'member-unavailable'],
    ['status 14 in the headers', answersHeaders({ 'grpc-status': '14' }), 'member-unavailable'],
    [
      'status 14 in the headers of a proxy',
      answersHeaders({ 'grpc-status': '14', 'content-type': 'text/plain' }),
      'member-unavailable',
    ],
    ['status 12', sends([], trailing('12', 'unknown service')), 'request-failed'],
    ['a status that does not exist', answersHeaders({ 'grpc-status': '99' }), 'request-failed'],
  ])('%s', async (_, answer, code) => {
    await using server = await startFaultServer({ Status: answer });
    const options = clientOptions(server.endpoint, {}, { commandTimeoutMs: TIMEOUT_MS });
    await using connection = await connect(options);
    const begin = performance.now();
    const error = await errorOf(connection.client.status());
    expect(error.code).toBe(code);
    expect(error.position.endpoint).toBe(server.endpoint);
    expect(performance.now() - begin).toBeLessThan(TIMEOUT_MS + 1000);
  });
});

it('a request is answered', async () => {
  await using server = await startFaultServer({ Status: sends([STATUS], endsWell) });
  await using connection = await connect(clientOptions(server.endpoint));
  expect((await connection.client.status()).version).toBe('3.7.3');
});

it('the member goes while it answers, and answers all the same', async () => {
  await using server = await startFaultServer({
    Status: (call) => {
      call.session.goaway(0);
      setTimeout(() => void sends([STATUS], endsWell)(call), 50);
    },
  });
  await using connection = await connect(clientOptions(server.endpoint));
  expect((await connection.client.status()).version).toBe('3.7.3');
  // It takes no more requests, and says so before one is sent.
  expect((await errorOf(connection.client.status())).code).toBe('connection-lost');
  const snapshot = Promise.resolve().then(() =>
    connection.client.snapshot(new CollectingSink(), snapshotOptions()),
  );
  expect((await errorOf(snapshot)).code).toBe('connection-lost');
});

it('an answer that does not end is not waited for', async () => {
  const pieces = {
    *[Symbol.iterator]() {
      for (;;) yield Buffer.alloc(65_536);
    },
  };
  await using server = await startFaultServer({ Status: sends(pieces, stalls) });
  await using connection = await connect(clientOptions(server.endpoint));
  expect((await errorOf(connection.client.status())).code).toBe('response-invalid');
});

it('a broken connection says why', async () => {
  await using server = await startFaultServer({ Status: ({ session }) => session.goaway(11) });
  await using connection = await connect(clientOptions(server.endpoint));
  const { cause } = await errorOf(connection.client.status());
  expect((cause as Error).message).toBe('Session closed with error code 11');
});

describe('an abort', () => {
  const reason = new Error('SIGINT');

  it('rejects with its reason, at once', async () => {
    await using server = await startFaultServer({ Status: stalls });
    const controller = new AbortController();
    const { signal } = controller;
    await using connection = await connect(clientOptions(server.endpoint, {}, { signal }));
    const begin = performance.now();
    setTimeout(() => controller.abort(reason), 50);
    await expect(connection.client.status()).rejects.toBe(reason);
    expect(performance.now() - begin).toBeLessThan(2000);
    // RFC 9113 section 7: CANCEL.
    await expect.poll(() => server.seen.streamEnds).toEqual([8]);
  });

  it('before a request sends nothing', async () => {
    await using server = await startFaultServer({ Status: stalls });
    const controller = new AbortController();
    const { signal } = controller;
    await using connection = await connect(clientOptions(server.endpoint, {}, { signal }));
    controller.abort(reason);
    await expect(connection.client.status()).rejects.toBe(reason);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(server.seen.streamEnds).toEqual([]);
  });
});

describe('the log-in', () => {
  const login = { user: 'root', password: 'secret' };
  // AuthenticateResponse with field 2, token: "t".
  const token = sends([envelope(Buffer.from('\x12\x01t'))], endsWell);

  it('gives a token that every request carries', async () => {
    const seen: unknown[] = [];
    const record = (answer: Answer): Answer => {
      return (call) => {
        seen.push(call.headers.token);
        return answer(call);
      };
    };
    await using server = await startFaultServer({
      Authenticate: record(token),
      Status: record(sends([STATUS], endsWell)),
      Snapshot: record(sends([], endsWell)),
    });
    await using connection = await connect(clientOptions(server.endpoint, {}, { login }));
    await connection.client.status();
    await errorOf(connection.client.snapshot(new CollectingSink(), snapshotOptions()));
    expect(seen).toEqual([undefined, 't', 't']);
  });

  it('that is refused closes the connection', async () => {
    await using server = await startFaultServer({
      Authenticate: answersHeaders({
        'grpc-status': '3',
        'grpc-message': 'etcdserver: authentication failed, invalid user ID or password',
      }),
    });
    const error = await errorOf(connect(clientOptions(server.endpoint, {}, { login })));
    expect(error.code).toBe('authentication-failed');
    await expect.poll(() => server.seen.open).toBe(0);
  });

  it('is needless where authentication is off', async () => {
    await using server = await startFaultServer({
      Authenticate: answersHeaders({
        'grpc-status': '9',
        'grpc-message': 'etcdserver: authentication is not enabled',
      }),
      Status: sends([STATUS], endsWell),
    });
    await using connection = await connect(clientOptions(server.endpoint, {}, { login }));
    expect((await connection.client.status()).version).toBe('3.7.3');
  });
});
