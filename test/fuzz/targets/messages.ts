// Messages: the values of bucket `key`, and the stream of a snapshot with the frames that it comes in.
import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { ClientHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { watchEnding } from '../../../src/etcd/client/call-ending.ts';
import { FrameSplitter, type ReadInto } from '../../../src/etcd/client/frame-splitter.ts';
import { SnapshotAssembly } from '../../../src/etcd/client/snapshot-assembly.ts';
import { MalformedStream } from '../../../src/etcd/client/snapshot-response.ts';
import { KeyValueReader } from '../../../src/etcd/store/key-value.ts';
import { encodeSnapshot } from '../../faults/snapshot-messages.ts';
import { Message } from '../../fixtures/protobuf-writer.ts';
import { Random } from '../../fixtures/random.ts';
import { mutateText } from '../mutate-text.ts';
import { demand, expectedCode, show, type Target } from '../target.ts';

/** What protobuf's own reader makes of a key-value: its key and numbers; undefined if it is none. */
function readByLibrary(bytes: Uint8Array): unknown {
  const fields = new Map<number, unknown>();
  try {
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [field, type] = reader.tag();
      if (field === 1 && type === WireType.LengthDelimited) fields.set(1, reader.bytes());
      else if ([2, 3, 4, 6].includes(field) && type === WireType.Varint) {
        fields.set(field, BigInt(reader.uint64()));
      } else reader.skip(type, field);
    }
    demandEnd(reader);
  } catch {
    return undefined;
  }
  return [
    fields.get(1) ?? new Uint8Array(),
    ...[2, 3, 4, 6].map((field) => fields.get(field) ?? 0n),
  ];
}

function demandEnd({ pos, len }: BinaryReader): void {
  if (pos !== len) throw new RangeError('it goes beyond its end');
}

const KEY_VALUES = [
  Buffer.from('0a0161100218022001', 'hex'),
  new Message()
    .string(1, '/registry/pods/default/a')
    .integer(2, 2 ** 40)
    .integer(3, 2 ** 53 - 1)
    .integer(4, 77)
    .string(5, 'value')
    .integer(6, 0x7587a5)
    .encode(),
  new Message().string(1, '').encode(),
];

const keyValues: Target = {
  name: 'key-value',
  weight: 6,
  make: (random) => mutateText(random.pick(KEY_VALUES), random),
  run(input) {
    const reader = new KeyValueReader();
    // It lies in the middle of others.
    const around = Buffer.concat([Buffer.alloc(3, 0xff), input, Buffer.alloc(12, 0xff)]);
    const end = 3 + input.length;
    if (!reader.read(around, 3, end)) return 'refused';
    const { keyStart, keyEnd, createRevision, modRevision, version, lease } = reader;
    demand(keyStart >= 3 && keyEnd >= keyStart && keyEnd <= end, `the key is at ${keyStart}`);
    const numbers = [createRevision, modRevision, version];
    demand(
      numbers.every((number) => number >= 0),
      `a number is negative: ${show(numbers)}`,
    );
    const theirs = readByLibrary(input) as [Uint8Array, ...bigint[]] | undefined;
    if (theirs === undefined || numbers.some((number) => number >= 2 ** 53)) return 'read';
    const ours = [around.subarray(keyStart, keyEnd), ...numbers.map(BigInt), lease];
    demand(show(theirs) === show(ours), `we read ${show(ours)}, the library ${show(theirs)}`);
    return 'read';
  },
};

/** Puts a stream together that comes in pieces, and tells how it ended. */
function assemble(bytes: Uint8Array, nextLength: () => number): string {
  const pieces: Buffer[] = [];
  const sink = {
    begin: () => undefined,
    write: (piece: Uint8Array) => void pieces.push(Buffer.from(piece)),
  };
  const assembly = new SnapshotAssembly(sink, createHash('sha256'), 'https://a:1');
  try {
    for (let at = 0; at < bytes.length; ) {
      const length = nextLength();
      void assembly.push(bytes.subarray(at, at + length));
      at += length;
    }
    const { databaseBytes, digest } = assembly.conclude();
    const whole = Buffer.concat(pieces);
    demand(whole.length === databaseBytes, `${whole.length} bytes are written of ${databaseBytes}`);
    demand(createHash('sha256').update(whole).digest().equals(digest), 'another digest');
    return 'read';
  } catch (reason) {
    if (reason instanceof MalformedStream) return `malformed: ${reason.message}`;
    const codes = ['stream-cut', 'stream-empty-chunk', 'stream-inconsistent'];
    return expectedCode(reason, [...codes, 'digest-missing', 'digest-mismatch']);
  }
}

const STREAMS = [0, 1, 100, 32_768, 33_000].map((size, index) =>
  encodeSnapshot(new Random(index).bytes(size), index % 2 === 0 ? '3.6.0' : ''),
);

const streams: Target = {
  name: 'snapshot-stream',
  weight: 4,
  make: (random) => mutateText(random.pick(STREAMS), random),
  run(input, random) {
    const whole = assemble(input, () => input.length);
    const pieces = assemble(input, () => random.between(1, 5000));
    demand(pieces === whole, `in pieces it is ${pieces}, as a whole ${whole}`);
    return whole.replace(/:.*/, '');
  },
};

/** As much of a socket as the splitter uses. */
class NoSocket extends EventEmitter {
  readonly writable = true;
  sent = 0;

  resume(): this {
    return this;
  }

  destroy(): this {
    return this;
  }

  end(): this {
    return this;
  }

  write(bytes: Uint8Array): boolean {
    this.sent += bytes.length;
    return true;
  }
}

const WINDOW = 4096;
const DIVERTED = 3;

/** What comes out of a splitter at its two sides. */
function split(bytes: Uint8Array, nextLength: () => number, holds: () => boolean): unknown {
  const socket = new NoSocket();
  let into: ReadInto | undefined;
  const splitter = new FrameSplitter(WINDOW, (onread) => {
    into = onread;
    return socket as unknown as Socket;
  });
  let failure = '';
  splitter.on('error', ({ message }) => (failure = message));
  const passed: Buffer[] = [];
  const read: Buffer[] = [];
  splitter.divert(DIVERTED, (view) => read.push(Buffer.from(view)));
  for (let at = 0; at < bytes.length && !splitter.destroyed; ) {
    const length = Math.min(nextLength(), bytes.length - at, into!.buffer.length);
    into!.buffer.set(bytes.subarray(at, at + length));
    into!.callback(length);
    at += length;
    if (splitter.isHeld) splitter.release();
    else if (holds()) splitter.hold();
    for (let piece = splitter.read() as Buffer | null; piece !== null; ) {
      passed.push(piece);
      piece = splitter.read() as Buffer | null;
    }
  }
  splitter.release();
  const isDestroyed = splitter.destroyed;
  const total = Buffer.concat([...passed, ...read]).length;
  demand(total <= bytes.length + 9 * bytes.length, `${total} bytes come out of ${bytes.length}`);
  splitter.destroy();
  return {
    isDestroyed,
    failure,
    read: Buffer.concat(read),
    ...(isDestroyed ? {} : { passed: Buffer.concat(passed) }),
  };
}

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

const FRAMES = Buffer.concat([
  frame(4, 0, 0, Buffer.alloc(6)),
  frame(1, 4, DIVERTED, Buffer.alloc(20, 0x88)),
  frame(0, 0, DIVERTED, Buffer.alloc(300, 1)),
  frame(0, 8, DIVERTED, Buffer.concat([Buffer.of(5), Buffer.alloc(30, 2), Buffer.alloc(5)])),
  frame(0, 0, 1, Buffer.alloc(40, 3)),
  frame(8, 0, 0, Buffer.from([0, 0, 1, 0])),
  frame(0, 0, DIVERTED, Buffer.alloc(0)),
  frame(0, 1, DIVERTED, Buffer.alloc(50, 4)),
  frame(1, 5, DIVERTED, Buffer.alloc(10, 0x88)),
]);

/** More padding than the frame is long. */
const OVERPADDED = frame(0, 8, DIVERTED, Buffer.alloc(30, 40));

const frames: Target = {
  name: 'frames',
  weight: 3,
  make: (random) =>
    mutateText(random.chance(0.1) ? Buffer.concat([FRAMES, OVERPADDED]) : FRAMES, random),
  run(input, random) {
    const whole = split(
      input,
      () => input.length,
      () => false,
    );
    const pieces = split(
      input,
      () => random.between(1, 60),
      () => random.chance(0.3),
    );
    demand(show(pieces) === show(whole), `in pieces ${show(pieces)}, as a whole ${show(whole)}`);
    return (whole as { isDestroyed: boolean }).isDestroyed ? 'refused' : 'read';
  },
};

const HEADERS =
  ':status=200\ncontent-type=application/grpc\ngrpc-status=0\ngrpc-message=a%20b\ngrpc-encoding=identity\n';

const endings: Target = {
  name: 'call-ending',
  weight: 3,
  make: (random) => mutateText(Buffer.from(HEADERS), random),
  async run(input, random) {
    const stream = Object.assign(new EventEmitter(), { close: () => undefined });
    const ended = watchEnding(stream as unknown as ClientHttp2Stream);
    const lines = Buffer.from(input).toString('latin1').split('\n');
    const headers = lines.map((line) => line.split(/=(.*)/s).slice(0, 2) as [string, string]);
    const inFront = random.between(0, headers.length);
    const { ':status': status, ...others } = Object.fromEntries(headers.slice(0, inFront));
    stream.emit('response', { ':status': Number(status), ...others });
    stream.emit('trailers', Object.fromEntries(headers.slice(inFront)));
    stream.emit('close');
    const ending = await ended;
    return ending.status === 0 && ending.foreign === undefined ? 'read' : 'refused';
  },
};

export const MESSAGES: readonly Target[] = [keyValues, streams, frames, endings];
