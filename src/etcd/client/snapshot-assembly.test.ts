import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import {
  CHUNK_BYTES,
  encodeMessage,
  randomDatabase,
  type SnapshotMessage,
  snapshotMessages,
} from '../../../test/faults/snapshot-messages.ts';
import { SnapshotAssembly, type StreamedSnapshot } from './snapshot-assembly.ts';

const URL = 'http://10.0.1.2:2379';

interface Received {
  readonly begun: number[];
  readonly bytes: Buffer;
  readonly snapshot: StreamedSnapshot;
}

/** Puts messages together, or throws what the assembly throws. */
function assemble(
  messages: readonly SnapshotMessage[],
  extra: Uint8Array = Buffer.alloc(0),
): Received {
  const begun: number[] = [];
  const pieces: Buffer[] = [];
  const sink = {
    begin: (totalBytes: number) => void begun.push(totalBytes),
    write: (bytes: Uint8Array) => void pieces.push(Buffer.from(bytes)),
  };
  const assembly = new SnapshotAssembly(sink, createHash('sha256'), URL);
  for (const message of messages) void assembly.push(encodeMessage(message));
  void assembly.push(extra);
  const snapshot = assembly.conclude();
  return { begun, bytes: Buffer.concat(pieces), snapshot };
}

const sha256 = (...parts: Uint8Array[]): Buffer =>
  createHash('sha256').update(Buffer.concat(parts)).digest();

describe('a snapshot of which everything agrees', () => {
  it.each([
    ['one that fits in one chunk, without remaining_bytes', 24_576],
    ['one of exactly one chunk', CHUNK_BYTES],
    ['one byte more than a chunk', CHUNK_BYTES + 1],
    ['several chunks and a remainder', 3 * CHUNK_BYTES + 20_480],
    ['a multiple of the chunk', 3 * CHUNK_BYTES],
    // The digest of 32 bytes must not be taken for the last bytes of the database, nor these for it.
    ['a last chunk of 32 bytes', CHUNK_BYTES + 32],
    ['a database as long as a digest', 32],
  ])('%s', (_, sizeBytes) => {
    const database = randomDatabase(sizeBytes);
    const { begun, bytes, snapshot } = assemble(snapshotMessages(database, '3.6.0'));
    const digest = sha256(database);
    expect(begun).toEqual([sizeBytes]);
    expect(bytes.equals(database)).toBe(true);
    expect(snapshot).toEqual({
      databaseBytes: sizeBytes,
      digest,
      fileDigest: sha256(database, digest),
      storageVersion: '3.6.0',
    });
  });

  it('3.4 and 3.5 send no version', () =>
    expect(assemble(snapshotMessages(randomDatabase(100))).snapshot.storageVersion).toBe(''));
});

describe('a snapshot that contradicts itself', () => {
  const database = randomDatabase(2 * CHUNK_BYTES + 4096);
  const good = snapshotMessages(database);
  const [first, second, third, digest] = good as [
    SnapshotMessage,
    SnapshotMessage,
    SnapshotMessage,
    SnapshotMessage,
  ];
  const half = Buffer.alloc(CHUNK_BYTES / 2);

  it.each<[string, SnapshotMessage[], string, number]>([
    ['nothing came', [], 'stream-cut', 0],
    ['it ends after the first chunk', [first], 'stream-cut', CHUNK_BYTES],
    ['it ends before the digest', [first, second, third], 'digest-missing', database.length],
    [
      'the first chunk is empty',
      [{ remaining: database.length }, ...good],
      'stream-empty-chunk',
      0,
    ],
    [
      'empty chunks follow',
      [first, { remaining: first.remaining! }],
      'stream-empty-chunk',
      CHUNK_BYTES,
    ],
    ['an empty message follows', [first, {}], 'stream-empty-chunk', CHUNK_BYTES],
    ['an empty message is all', [{}], 'stream-inconsistent', 0],
    ['a chunk is missing', [first, third], 'stream-inconsistent', CHUNK_BYTES],
    ['a chunk came twice', [first, first], 'stream-inconsistent', CHUNK_BYTES],
    [
      'a chunk is shorter than it should be',
      [first, { ...second, blob: half }],
      'stream-inconsistent',
      CHUNK_BYTES,
    ],
    [
      'remaining_bytes falls by too much',
      [first, { ...second, remaining: 0 }],
      'stream-inconsistent',
      CHUNK_BYTES,
    ],
    [
      'remaining_bytes does not fall',
      [first, { ...second, remaining: first.remaining! }],
      'stream-inconsistent',
      CHUNK_BYTES,
    ],
    [
      'the first remaining_bytes is too small',
      [{ ...first, remaining: 100 }, second],
      'stream-inconsistent',
      CHUNK_BYTES,
    ],
    [
      'the first remaining_bytes is too large',
      [{ ...first, remaining: first.remaining! + 1 }, second],
      'stream-inconsistent',
      CHUNK_BYTES,
    ],
    ['the digest comes too early', [first, digest], 'stream-inconsistent', CHUNK_BYTES],
    [
      'more data than announced',
      [first, second, third, third],
      'stream-inconsistent',
      database.length,
    ],
    [
      'a digest of 31 bytes',
      [first, second, third, { blob: digest.blob!.subarray(1) }],
      'stream-inconsistent',
      database.length,
    ],
    [
      'a digest of 33 bytes',
      [first, second, third, { blob: Buffer.concat([digest.blob!, half.subarray(0, 1)]) }],
      'stream-inconsistent',
      database.length,
    ],
    ['an empty digest', [first, second, third, {}], 'stream-inconsistent', database.length],
    ['two digests', [...good, digest], 'stream-inconsistent', database.length],
    ['an empty message behind the digest', [...good, {}], 'stream-inconsistent', database.length],
  ])('%s', (_, messages, code, offset) =>
    expect(() => assemble(messages)).toThrow(
      expect.objectContaining({ code, position: { endpoint: URL, offset } }),
    ),
  );

  it.each(['a bit of the data', 'a bit of the digest'])('%s has changed', (where) => {
    const changed = Buffer.from(database);
    const wrong = Buffer.from(digest.blob!);
    const target = where.endsWith('data') ? changed : wrong;
    target[10]! ^= 1;
    const messages = [...snapshotMessages(changed).slice(0, -1), { blob: wrong }];
    expect(() => assemble(messages)).toThrow(
      expect.objectContaining({
        code: 'digest-mismatch',
        facts: [
          ['computed', sha256(changed).toString('hex')],
          ['sent', wrong.toString('hex')],
        ],
      }),
    );
  });

  it('it ends inside the digest', () =>
    expect(() => assemble(good.slice(0, -1), encodeMessage(digest).subarray(0, 20))).toThrow(
      expect.objectContaining({ code: 'stream-cut' }),
    ));

  it('a message behind the digest has begun', () =>
    expect(() => assemble(good, Buffer.of(0))).toThrow(
      expect.objectContaining({ code: 'stream-cut' }),
    ));
});

describe('the sink', () => {
  const [only] = snapshotMessages(Buffer.alloc(100, 'etcd')) as [SnapshotMessage];

  it('asks for a pause with a promise', () => {
    const pause = Promise.resolve();
    const sink = { begin: () => undefined, write: () => pause };
    const assembly = new SnapshotAssembly(sink, createHash('sha256'), URL);
    const bytes = encodeMessage(only);
    expect(assembly.push(bytes.subarray(0, 5))).toBeUndefined();
    expect(assembly.push(bytes.subarray(5))).toBe(pause);
    expect(assembly.push(Buffer.alloc(0))).toBeUndefined();
  });

  it('keeps its pause when more bytes of the same piece ask for none', () => {
    const pause = Promise.resolve();
    const answers = [pause, undefined];
    const sink = { begin: () => undefined, write: () => answers.shift() };
    const assembly = new SnapshotAssembly(sink, createHash('sha256'), URL);
    const messages = snapshotMessages(Buffer.alloc(CHUNK_BYTES + 100)).slice(0, 2);
    expect(assembly.push(Buffer.concat(messages.map(encodeMessage)))).toBe(pause);
  });

  it('is not begun by a database that its member cannot read', () => {
    const begun: number[] = [];
    const sink = { begin: (bytes: number) => void begun.push(bytes), write: () => undefined };
    const assembly = new SnapshotAssembly(sink, createHash('sha256'), URL);
    expect(() => assembly.push(encodeMessage({ remaining: 1000 }))).toThrow();
    expect(begun).toEqual([]);
  });
});
