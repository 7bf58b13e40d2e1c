import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeMessage,
  encodeSnapshot,
  envelope,
  type SnapshotMessage,
  snapshotMessages,
} from '../../../test/faults/snapshot-messages.ts';
import { MalformedStream, SnapshotResponseParser } from './snapshot-response.ts';

interface Heard {
  blobBytes: number;
  remaining: number;
  blob: Buffer;
  version: string | undefined;
}

/** What the parser makes of bytes that come in these pieces. */
function parse(pieces: Iterable<Uint8Array>): { heard: Heard[]; atBoundary: boolean } {
  const heard: Heard[] = [];
  const parser = new SnapshotResponseParser({
    blobStart: (blobBytes, remaining) =>
      heard.push({ blobBytes, remaining, blob: Buffer.alloc(0), version: undefined }),
    blobBytes: (bytes) => {
      const message = heard.at(-1)!;
      message.blob = Buffer.concat([message.blob, bytes]);
    },
    messageEnd: (version) => (heard.at(-1)!.version = version),
  });
  for (const piece of pieces) parser.push(piece);
  return { heard, atBoundary: parser.atBoundary };
}

function* cut(bytes: Uint8Array, lengths: readonly number[]): Generator<Uint8Array> {
  let at = 0;
  for (let index = 0; at < bytes.length; index += 1) {
    const length = lengths[index % lengths.length]!;
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

function expected(messages: readonly SnapshotMessage[]): Heard[] {
  return messages.map(({ remaining = 0, blob = Buffer.alloc(0), version = '' }) => ({
    blobBytes: blob.length,
    remaining,
    blob: Buffer.from(blob),
    version,
  }));
}

const database = Buffer.alloc(70_000, 'etcd');

describe.each([
  ['3.4 and 3.5', ''],
  ['3.6', '3.6.0'],
  ['3.7', '3.7.0'],
])('a snapshot as %s sends it', (_, version) => {
  const bytes = encodeSnapshot(database, version);
  const messages = expected(snapshotMessages(database, version));

  it.each([
    ['in one piece', [bytes.length]],
    ['byte by byte', [1]],
    ['in frames of a plain port', [16_384]],
  ])('%s', (_, lengths) =>
    expect(parse(cut(bytes, lengths))).toEqual({ heard: messages, atBoundary: true }),
  );

  it('in pieces of any lengths', () =>
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 20 }),
        (lengths) => {
          expect(parse(cut(bytes, lengths)).heard).toEqual(messages);
        },
      ),
      { numRuns: 30 },
    ));
});

describe('any messages', () => {
  const message = fc.record({
    remaining: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    blob: fc.uint8Array({ maxLength: 200 }),
    version: fc.string({ maxLength: 8, unit: 'grapheme-ascii' }),
  });

  it('are heard as they were sent', () =>
    fc.assert(
      fc.property(fc.array(message), fc.integer({ min: 1, max: 50 }), (messages, length) => {
        const bytes = Buffer.concat(messages.map(encodeMessage));
        const { heard, atBoundary } = parse(cut(bytes, [length]));
        // A version that is left out is the one of the message before.
        const plain = (all: Heard[]) => all.map(({ remaining, blob }) => ({ remaining, blob }));
        expect(plain(heard)).toEqual(plain(expected(messages)));
        expect(atBoundary).toBe(true);
      }),
    ));

  it('a header, which no server sends, is passed over', () => {
    const header = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(Buffer.alloc(20));
    const rest = encodeMessage({ remaining: 7, blob: Buffer.from('etcd') }).subarray(5);
    const { heard } = parse([envelope(Buffer.concat([header.finish(), rest]))]);
    expect(heard).toEqual(expected([{ remaining: 7, blob: Buffer.from('etcd') }]));
  });

  it('an empty version, which no encoder of Go writes, is one', () => {
    const blob = encodeMessage({ blob: Buffer.from('etcd') }).subarray(5);
    const { heard } = parse([envelope(Buffer.concat([Buffer.of(0x22, 0), blob]))]);
    expect(heard).toEqual(expected([{ blob: Buffer.from('etcd') }]));
  });

  it('a message may be longer than 2 GiB', () => {
    const prefix = Buffer.of(0, 0xff, 0xff, 0xff, 0xff);
    // A blob of 2^32 - 16 bytes, of which the first four have come.
    const blob = Buffer.of(0x1a, 0xf0, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3, 4);
    const { heard, atBoundary } = parse([prefix, blob]);
    expect(heard).toMatchObject([{ blobBytes: 2 ** 32 - 16, blob: Buffer.of(1, 2, 3, 4) }]);
    expect(atBoundary).toBe(false);
  });

  it('any bytes at all are parsed or refused', () =>
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        try {
          parse([bytes]);
        } catch (reason) {
          expect(reason).toBeInstanceOf(MalformedStream);
          expect((reason as MalformedStream).offset).toBeLessThanOrEqual(bytes.length);
        }
      }),
    ));
});

describe('atBoundary', () => {
  const bytes = encodeMessage({ remaining: 7, blob: Buffer.from('etcd'), version: '3.6.0' });

  it('is true at the end of a message only', () => {
    for (let length = 1; length < bytes.length; length += 1) {
      expect(parse([bytes.subarray(0, length)]).atBoundary, `after ${length} bytes`).toBe(false);
    }
    expect(parse([bytes]).atBoundary).toBe(true);
  });
});

describe('a malformed message', () => {
  const blob = (bytes: Uint8Array): Uint8Array =>
    new BinaryWriter().tag(3, WireType.LengthDelimited).bytes(bytes).finish();
  const remaining = (...varint: number[]): Uint8Array => Uint8Array.from([0x10, ...varint]);
  const four = Buffer.from('etcd');

  it.each<[string, Uint8Array, RegExp]>([
    ['the compressed flag is set', envelope(blob(four), 1), /flags 1/],
    ['any other flag is set', envelope(blob(four), 0x80), /flags 128/],
    ['a page of a proxy', Buffer.from('<html></html>'), /flags 60/],
    ['a field of number 5', envelope(Uint8Array.of(0x28, 1)), /no field with tag 40/],
    ['a field of number 0', envelope(Uint8Array.of(0x00, 1)), /no field with tag 0/],
    ['a field of number 16', envelope(Uint8Array.of(0x82, 0x01, 0)), /no field with tag 130/],
    ['a blob of another wire type', envelope(Uint8Array.of(0x18, 1)), /no field with tag 24/],
    ['remaining_bytes as bytes', envelope(Uint8Array.of(0x12, 1, 1)), /no field with tag 18/],
    ['a blob longer than its message', envelope(Uint8Array.of(0x1a, 5, 1, 2, 3, 4)), /longer than/],
    ['a version longer than its message', envelope(Uint8Array.of(0x22, 2, 51)), /longer than/],
    ['a huge blob', envelope(Uint8Array.of(0x1a, 0xff, 0xff, 0xff, 0xff, 0x7f)), /longer than/],
    [
      'a huge version',
      envelope(Buffer.concat([Buffer.of(0x22, 0x81, 0x08), Buffer.alloc(1025)])),
      /1025 bytes/,
    ],
    ['it ends after a tag', envelope(Uint8Array.of(0x1a)), /ends inside a field/],
    ['it ends in remaining_bytes', envelope(remaining(0x80)), /ends inside a field/],
    ['it ends in a length', envelope(Uint8Array.of(0x1a, 0x80)), /ends inside a field/],
    [
      'a number of 2^53',
      envelope(remaining(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10)),
      /out of range/,
    ],
    ['a number of 2^64 - 1', envelope(remaining(...Buffer.alloc(9, 0xff), 1)), /out of range/],
    ['a number of eleven bytes', envelope(remaining(...Buffer.alloc(10, 0x80), 0)), /out of range/],
    ['two blobs', envelope(Buffer.concat([blob(four), blob(four)])), /two blobs/],
    [
      'remaining_bytes behind the blob',
      envelope(Buffer.concat([blob(four), remaining(7)])),
      /behind the blob/,
    ],
  ])('%s', (_, bytes, message) => {
    expect(() => parse([bytes])).toThrow(message);
    expect(() => parse(cut(bytes, [1]))).toThrow(message);
    expect(() => parse([bytes])).toThrow(MalformedStream);
  });

  it('the largest number that is exact is not malformed', () =>
    expect(parse([encodeMessage({ remaining: Number.MAX_SAFE_INTEGER })]).heard[0]?.remaining).toBe(
      Number.MAX_SAFE_INTEGER,
    ));

  it('is found at its offset in the stream', () => {
    const good = encodeMessage({ remaining: 7, blob: four });
    const bad = envelope(Uint8Array.of(0x28, 1));
    const offset = (() => {
      try {
        parse([Buffer.concat([good, bad])]);
      } catch (reason) {
        return (reason as MalformedStream).offset;
      }
      return undefined;
    })();
    expect(offset).toBe(good.length + 5);
  });
});
