import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrameSplitter } from './frame-splitter.ts';

const WINDOW_BYTES = 4096;
const DIVERTED = 1;

// RFC 9113 section 6.
const DATA = 0;
const HEADERS = 1;
const END_STREAM = 0x1;
const PADDED = 0x8;

function frame(type: number, flags: number, stream: number, payload: Uint8Array): Buffer {
  const header = Buffer.alloc(9);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}

const bytes = (length: number, value = 7): Buffer => Buffer.alloc(length, value);

const padded = (payload: Uint8Array, padding: number): Buffer =>
  frame(DATA, PADDED, DIVERTED, Buffer.concat([Buffer.of(padding), payload, bytes(padding, 0)]));

/** A splitter on a loopback connection, and what came out of it at either side. */
async function start() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const splitter = new FrameSplitter(WINDOW_BYTES, (onread) =>
    net.connect({ host: '127.0.0.1', port, onread }),
  );
  const [peer] = (await once(server, 'connection')) as [net.Socket];
  server.close();
  peer.setNoDelay(true);
  const seen = { read: [] as Buffer[], passed: [] as Buffer[], sent: [] as Buffer[] };
  peer.on('data', (piece: Buffer) => seen.sent.push(piece));
  splitter.on('data', (piece: Buffer) => seen.passed.push(piece));
  let failure: Error | undefined;
  splitter.on('error', (reason) => (failure = reason));
  const closed = new Promise<void>((resolve) => splitter.on('close', resolve));
  splitter.divert(DIVERTED, (view) => seen.read.push(Buffer.from(view)));
  return {
    splitter,
    peer,
    closed,
    failure: () => failure,
    read: () => Buffer.concat(seen.read),
    passed: () => Buffer.concat(seen.passed),
    sent: () => Buffer.concat(seen.sent),
    /** Ends the connection and waits until all of it has come. */
    end: async () => {
      peer.end();
      await closed;
    },
    async [Symbol.asyncDispose]() {
      peer.destroy();
      splitter.destroy();
      await Promise.resolve();
    },
  };
}

/** Increments of the windows by stream, from frames of type WINDOW_UPDATE. */
function increments(sent: Buffer): Record<number, number> {
  const sums: Record<number, number> = {};
  for (let at = 0; at < sent.length; at += 13) {
    expect([sent.readUIntBE(at, 3), sent[at + 3]]).toEqual([4, 8]);
    const stream = sent.readUInt32BE(at + 5);
    sums[stream] = (sums[stream] ?? 0) + sent.readUInt32BE(at + 9);
  }
  return sums;
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 30));

describe('frames', () => {
  it('are parted, wherever the pieces are cut', async () => {
    const piece = fc.record({
      diverted: fc.boolean(),
      payload: fc.uint8Array({ maxLength: 300 }),
      padding: fc.option(fc.nat(40), { nil: undefined }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { maxLength: 8 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 60 })),
        async (pieces, cuts) => {
          await using connection = await start();
          const frames = pieces.map(({ diverted, payload, padding }) => {
            if (!diverted) return frame(HEADERS, 4, 3, payload);
            return padding === undefined
              ? frame(DATA, 0, DIVERTED, payload)
              : padded(payload, padding);
          });
          const wire = Buffer.concat(frames);
          for (let at = 0; at < wire.length; ) {
            const length = cuts.next().value as number;
            connection.peer.write(wire.subarray(at, at + length));
            at += length;
            await new Promise((resolve) => setImmediate(resolve));
          }
          await connection.end();
          const of = (diverted: boolean) => pieces.filter((one) => one.diverted === diverted);
          expect(connection.read()).toEqual(Buffer.concat(of(true).map(({ payload }) => payload)));
          expect(connection.passed()).toEqual(
            Buffer.concat(of(false).map(({ payload }) => frame(HEADERS, 4, 3, payload))),
          );
        },
      ),
      { numRuns: 40 },
    );
  });

  it('of data of other streams, and of the connection, are passed on', async () => {
    await using connection = await start();
    const others = [frame(DATA, END_STREAM, 3, bytes(10)), frame(DATA, 0, 0, bytes(3))];
    connection.peer.write(Buffer.concat(others));
    await connection.end();
    expect(connection.passed()).toEqual(Buffer.concat(others));
    expect(connection.read()).toHaveLength(0);
  });

  it('that end the diverted stream are passed on without their data', async () => {
    await using connection = await start();
    connection.peer.write(frame(DATA, END_STREAM, DIVERTED, bytes(10)));
    await connection.end();
    expect(connection.read()).toEqual(bytes(10));
    expect(connection.passed()).toEqual(frame(DATA, END_STREAM, DIVERTED, Buffer.alloc(0)));
  });

  it('with more padding than content break the connection', async () => {
    await using connection = await start();
    connection.peer.write(frame(DATA, PADDED, DIVERTED, Buffer.of(5, 1, 2)));
    await connection.closed;
    expect(connection.failure()?.message).toBe('a frame has too much padding');
  });
});

describe('the windows', () => {
  it('are opened again by what was taken, padding too', async () => {
    await using connection = await start();
    for (let index = 0; index < 8; index += 1) connection.peer.write(padded(bytes(500), 11));
    await settled();
    const taken = 8 * 512;
    const { [0]: whole = 0, [DIVERTED]: stream = 0 } = increments(connection.sent());
    expect(stream).toBe(whole);
    expect(whole).toBeGreaterThan(taken - WINDOW_BYTES / 4);
    expect(whole).toBeLessThanOrEqual(taken);
  });

  it('stay closed while the reader is held', async () => {
    await using connection = await start();
    connection.splitter.hold();
    connection.peer.write(frame(DATA, 0, DIVERTED, bytes(WINDOW_BYTES)));
    await settled();
    expect(connection.sent()).toHaveLength(0);
    expect(connection.read()).toHaveLength(0);
    connection.splitter.release();
    await settled();
    expect(connection.read()).toHaveLength(WINDOW_BYTES);
    expect(increments(connection.sent())).toEqual({ 0: WINDOW_BYTES, [DIVERTED]: WINDOW_BYTES });
  });

  it('of an abandoned stream stays closed, that of the connection is opened', async () => {
    await using connection = await start();
    connection.splitter.abandon();
    connection.peer.write(frame(DATA, 0, DIVERTED, bytes(WINDOW_BYTES)));
    await settled();
    expect(increments(connection.sent())).toEqual({ 0: WINDOW_BYTES });
    expect(connection.read()).toHaveLength(0);
  });

  it('that are not kept break the connection', async () => {
    await using connection = await start();
    connection.splitter.hold();
    connection.peer.write(frame(DATA, 0, DIVERTED, bytes(WINDOW_BYTES + 1)));
    await connection.closed;
    expect(connection.failure()?.message).toBe('the member sent more than its window');
  });
});

describe('a reader that is held', () => {
  it('gets what came meanwhile in its order, also after the end', async () => {
    await using connection = await start();
    const { splitter, peer } = connection;
    const parts = Array.from({ length: 40 }, (_, index) => bytes(900, index));
    for (const [index, part] of parts.entries()) {
      if (index % 3 === 0) splitter.hold();
      peer.write(frame(DATA, 0, DIVERTED, part));
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (index % 3 === 2) splitter.release();
    }
    await connection.end();
    splitter.release();
    expect(connection.read()).toEqual(Buffer.concat(parts));
  });

  it('may hold again, and gets 64 KiB at most until then', async () => {
    const windowBytes = 1 << 18;
    const server = net.createServer((socket) => {
      socket.write(frame(DATA, 0, DIVERTED, bytes(200_000)));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const splitter = new FrameSplitter(windowBytes, (onread) =>
      net.connect({ host: '127.0.0.1', port, onread }),
    );
    splitter.hold();
    const pieces: number[] = [];
    splitter.divert(DIVERTED, (view) => {
      pieces.push(view.length);
      splitter.hold();
    });
    await settled();
    splitter.release();
    expect(pieces).toEqual([65_536]);
    while (pieces.reduce((sum, length) => sum + length, 0) < 200_000) splitter.release();
    expect(pieces).toEqual([65_536, 65_536, 65_536, 200_000 - 3 * 65_536]);
    splitter.destroy();
    server.close();
  });
});
