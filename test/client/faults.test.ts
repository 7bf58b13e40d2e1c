import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  answersHeaders,
  answersPage,
  endsBare,
  endsWell,
  endsWith,
  hangsUp,
  resets,
  resetsConnection,
  sends,
  sendsSnapshot,
  stalls,
} from '../faults/answers.ts';
import { type Answer, type FaultServer, startFaultServer } from '../faults/fault-server.ts';
import {
  encodeMessage,
  envelope,
  randomDatabase,
  type SnapshotMessage,
  snapshotMessages,
} from '../faults/snapshot-messages.ts';
import { removeTemporaryDirectory, temporaryDirectory } from '../servers/directories.ts';
import { CertificateAuthority, type KeyPairFiles } from '../servers/pki.ts';
import { CollectingSink, clientOptions, errorOf, takeSnapshot } from './connect.ts';

const IDLE_MS = 300;
/** Every fault is named within this time: the idle limit, and what a busy machine needs. */
const SOON_MS = 3000;

const database = randomDatabase(1_000_000);
const whole = snapshotMessages(database, '3.6.0');
const digest = whole.at(-1)!;
const data = whole.slice(0, -1);
const half = data.slice(0, 10);

let directory: string;
let authority: CertificateAuthority;
let certificate: KeyPairFiles;
beforeAll(async () => {
  directory = temporaryDirectory();
  authority = await CertificateAuthority.create(directory);
  certificate = await authority.issue('mock', { commonName: 'mock', names: ['127.0.0.1'] });
});
afterAll(() => removeTemporaryDirectory(directory));

const PORTS = ['plain', 'TLS'] as const;

function start(port: (typeof PORTS)[number], snapshot: Answer): Promise<FaultServer> {
  return startFaultServer({ Snapshot: snapshot }, port === 'TLS' ? certificate : undefined);
}

const optionsFor = (server: FaultServer) =>
  clientOptions(server.endpoint, server.endpoint.startsWith('https') ? { ca: authority.cert } : {});

/** Until the member sees no connection any more. */
const closed = (server: FaultServer) =>
  vi.waitFor(() => expect(server.seen.open).toBe(0), { timeout: SOON_MS, interval: 5 });

/** Messages, and then one and the same without an end. Can be walked through again. */
const forEver = (message: SnapshotMessage, ...before: SnapshotMessage[]) => ({
  *[Symbol.iterator](): Generator<SnapshotMessage> {
    yield* before;
    for (;;) yield message;
  },
});

/** The messages with remaining_bytes as a liar has it. */
const lying = (lie: (remaining: number, index: number) => number): SnapshotMessage[] =>
  whole.map((message, index) => ({ ...message, remaining: lie(message.remaining!, index) }));

const withDigest = (blob: Uint8Array): SnapshotMessage[] => [...data, { ...digest, blob }];
const zeros = Buffer.alloc(32);

const trailing = (status: string, message = 'boom'): Answer =>
  endsWith({ 'grpc-status': status, 'grpc-message': message });

const STREAM_FAULTS: readonly (readonly [situation: string, answer: Answer, code: string])[] = [
  ['no answer at all', stalls, 'stream-stalled'],
  ['headers and then nothing', sends([], stalls), 'stream-stalled'],
  ['it stalls in mid-stream', sends(half, stalls), 'stream-stalled'],
  ['it stalls before the digest', sends(data, stalls), 'stream-stalled'],
  ['it stalls before the status', sends(whole, stalls), 'stream-stalled'],
  [
    'a bare end in mid-stream, as of a TLS port that is stopped',
    sends(half, endsBare),
    'stream-cut',
  ],
  ['a bare end before the first message', sends([], endsBare), 'stream-cut'],
  ['all bytes and the digest, but no status', sends(whole, endsBare), 'stream-cut'],
  ['a good end in mid-stream', sends(half, endsWell), 'stream-cut'],
  [
    'a good end inside a message',
    sends([encodeMessage(whole[0]!).subarray(0, 999)], endsWell),
    'stream-cut',
  ],
  ['a good end of nothing', sends([], endsWell), 'stream-cut'],
  ['the stream is reset', sends(half, resets), 'stream-cut'],
  ['the stream is reset before an answer', resets, 'stream-cut'],
  ['the connection is closed', sends(half, hangsUp), 'stream-cut'],
  ['the connection is closed before an answer', hangsUp, 'stream-cut'],
  ['the connection is reset', sends(half, resetsConnection), 'stream-cut'],
  ['status 14 in mid-stream', sends(half, trailing('14')), 'stream-cut'],
  ['status 14 behind everything', sends(whole, trailing('14')), 'stream-cut'],
  ['a status that is none', sends(whole, trailing('')), 'stream-cut'],
  ['status 14 in the headers', answersHeaders({ 'grpc-status': '14' }), 'member-unavailable'],
  ['status 14 in the trailers', sends([], trailing('14')), 'member-unavailable'],
  ['a message that is badly encoded', sends([], trailing('14', '100%zz')), 'member-unavailable'],
  ['status 12 in the headers', answersHeaders({ 'grpc-status': '12' }), 'request-failed'],
  ['HTTP 404 of a proxy', answersPage(404), 'response-invalid'],
  ['HTTP 502 of a proxy', answersPage(502), 'response-invalid'],
  ['a page of a proxy', answersPage(200), 'response-invalid'],
  [
    'an empty first chunk',
    sends(forEver({ remaining: database.length }), stalls),
    'stream-empty-chunk',
  ],
  [
    'empty chunks for ever',
    sends(forEver({ remaining: half.at(-1)!.remaining! }, ...half), stalls),
    'stream-empty-chunk',
  ],
  [
    'remaining_bytes too small from the start',
    sends(
      lying((bytes) => Math.max(0, bytes - 1000)),
      endsWell,
    ),
    'stream-inconsistent',
  ],
  [
    'remaining_bytes too large from the start',
    sends(
      lying((bytes) => bytes + 1000),
      endsWell,
    ),
    'stream-inconsistent',
  ],
  [
    'remaining_bytes that changes',
    sends(
      lying((bytes, index) => bytes + (index === 7 ? 1 : 0)),
      endsWell,
    ),
    'stream-inconsistent',
  ],
  ['a chunk is missing', sends(data.toSpliced(3, 1), endsWell), 'stream-inconsistent'],
  [
    'two chunks are swapped',
    sends(data.toSpliced(3, 2, data[4]!, data[3]!), endsWell),
    'stream-inconsistent',
  ],
  ['a digest of other bytes', sends(withDigest(zeros), endsWell), 'digest-mismatch'],
  ['a digest of 31 bytes', sends(withDigest(zeros.subarray(1)), endsWell), 'stream-inconsistent'],
  ['no digest', sends(data, endsWell), 'digest-missing'],
  ['another message behind the digest', sends([...whole, digest], endsWell), 'stream-inconsistent'],
  ['a compressed message', sends([envelope(Buffer.alloc(10), 1)], stalls), 'response-invalid'],
  [
    'a version of 5 kB',
    sends([encodeMessage({ version: 'x'.repeat(5000) })], stalls),
    'response-invalid',
  ],
  [
    'a field longer than its message',
    sends([envelope(Buffer.of(0x1a, 0xff, 0xff, 0x7f))], stalls),
    'response-invalid',
  ],
];

describe.each(PORTS)('on a %s port', (port) => {
  it.each(STREAM_FAULTS)('%s', async (_, answer, code) => {
    await using server = await start(port, answer);
    const begin = performance.now();
    const promise = takeSnapshot(optionsFor(server), undefined, { idleTimeoutMs: IDLE_MS });
    expect((await errorOf(promise)).code).toBe(code);
    expect(performance.now() - begin).toBeLessThan(SOON_MS);
    await closed(server);
  });

  it.each([
    [answersPage(404), /HTTP status 404$/],
    [answersPage(502), /HTTP status 502$/],
    [answersPage(200), /text\/html, which is not gRPC$/],
  ])('a proxy is named as what it is (%#)', async (answer, message) => {
    await using server = await start(port, answer);
    expect((await errorOf(takeSnapshot(optionsFor(server)))).message).toMatch(message);
  });

  it('a whole snapshot arrives', async () => {
    await using server = await start(port, sendsSnapshot(database, '3.6.0'));
    const sink = new CollectingSink();
    const snapshot = await takeSnapshot(optionsFor(server), sink);
    expect(sink.totalBytes).toBe(database.length);
    expect(sink.bytes.equals(database)).toBe(true);
    expect(snapshot.digest).toEqual(Buffer.from(digest.blob!));
    expect(snapshot.storageVersion).toBe('3.6.0');
  });

  it('the member says that it goes, and finishes the stream all the same', async () => {
    const answer = sends(half, async (call) => {
      call.session.goaway(0, 0, Buffer.from('graceful_stop'));
      await new Promise((resolve) => setTimeout(resolve, 100));
      call.stream.write(Buffer.concat(whole.slice(10).map(encodeMessage)));
      await endsWell(call);
    });
    await using server = await start(port, answer);
    const sink = new CollectingSink();
    await takeSnapshot(optionsFor(server), sink);
    expect(sink.bytes.equals(database)).toBe(true);
  });
});
