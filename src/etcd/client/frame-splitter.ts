// A connection whose traffic is parted: the DATA frames of one stream go straight to its reader, and
// everything else to Node's http2, which stays in charge of the protocol. A snapshot comes in 60,000
// small frames a gigabyte; through Node's streams each costs more than its checksum, and a buffer
// that has to be collected (a fifth of the CPU time of a save, and memory that goes up and down).

import type net from 'node:net';
import { Duplex } from 'node:stream';

/** How net and tls are told to read into one buffer that is used again (`onread`). */
export interface ReadInto {
  readonly buffer: Uint8Array;
  readonly callback: (length: number) => boolean;
}

/** Takes the next bytes of a stream: a view that is valid during the call only. It must not throw. */
export type StreamReader = (bytes: Uint8Array) => void;

// RFC 9113 section 4.1: length (24 bits), type, flags, and the number of the stream (31 bits).
const HEADER_BYTES = 9;
const STREAM_MASK = 0x7fffffff;
// Sections 6.1 and 6.9.
const TYPE_DATA = 0x0;
const TYPE_WINDOW_UPDATE = 0x8;
const FLAG_END_STREAM = 0x1;
const FLAG_PADDED = 0x8;

/** What is read at once, as much as Node itself reads, and what a reader is given at most. */
const READ_BYTES = 1 << 16;

/** The windows are opened again when this part of them was taken. */
const UPDATE_PART = 1 / 4;

export class FrameSplitter extends Duplex {
  readonly #socket: net.Socket;
  readonly #buffer = Buffer.allocUnsafeSlow(READ_BYTES);
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerFilled = 0;
  /** Bytes of the frame that are still to come, and how many of them are padding at its end. */
  #frameLeft = 0;
  #padding = 0;
  #isDiverted = false;
  #expectsPadLength = false;
  /** The stream that is diverted; 0 is none. Without a reader its bytes are dropped. */
  #stream = 0;
  #reader: StreamReader | undefined;
  /** Bytes taken since the member was last told of it. */
  #unacknowledged = 0;
  #isHeld = false;
  /** What came while the reader was held: from `#queueStart` to `#queueEnd`, never more than a window. */
  #queue = Buffer.alloc(0);
  #queueStart = 0;
  #queueEnd = 0;
  readonly #windowBytes: number;

  /**
   * @param windowBytes of the connection and of each stream: what the member may send unasked
   * @param open dials the socket, which has to be read as it is told
   */
  constructor(windowBytes: number, open: (onread: ReadInto) => net.Socket) {
    super();
    this.#windowBytes = windowBytes;
    const callback = (length: number): boolean => {
      this.#split(length);
      return true;
    };
    this.#socket = open({ buffer: this.#buffer, callback });
    this.#socket.on('error', (reason) => this.destroy(reason));
    this.#socket.on('end', () => this.push(null));
    this.#socket.on('close', () => this.destroy());
    this.#socket.resume();
  }

  get socket(): net.Socket {
    return this.#socket;
  }

  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Gives the DATA of a stream to a reader from now on. One stream is diverted at a time. */
  divert(stream: number, reader: StreamReader): void {
    this.#stream = stream;
    this.#reader = reader;
  }

  /** Drops what still comes for the diverted stream. */
  abandon(): void {
    this.#reader = undefined;
    this.release();
  }

  /** Gives the reader nothing until it is told to. The socket is read on: pings, and the end, are seen. */
  hold(): void {
    this.#isHeld = true;
  }

  /** Gives the reader what came meanwhile; it may hold again. */
  release(): void {
    this.#isHeld = false;
    while (this.#queueStart < this.#queueEnd) {
      const start = this.#queueStart;
      this.#queueStart = Math.min(start + READ_BYTES, this.#queueEnd);
      this.#deliver(this.#queue.subarray(start, this.#queueStart));
      if (this.isHeld) return;
    }
  }

  override _read(): void {
    // What arrives is pushed as it comes: Node's http2 takes it at once, and the windows bound it.
  }

  override _write(bytes: Buffer, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(bytes, done);
  }

  /** Node's http2 hands over whole frames in one go, so a window update never falls between. */
  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    this.#socket.write(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: () => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }

  #split(length: number): void {
    let at = 0;
    while (at < length && !this.destroyed) {
      at +=
        this.#headerFilled < HEADER_BYTES ? this.#fillHeader(at, length) : this.#take(at, length);
      if (this.#headerFilled === HEADER_BYTES && this.#frameLeft === 0) this.#headerFilled = 0;
    }
  }

  #fillHeader(at: number, length: number): number {
    const taken = Math.min(HEADER_BYTES - this.#headerFilled, length - at);
    this.#buffer.copy(this.#header, this.#headerFilled, at, at + taken);
    this.#headerFilled += taken;
    if (this.#headerFilled === HEADER_BYTES) this.#beginFrame();
    return taken;
  }

  #beginFrame(): void {
    const header = this.#header;
    this.#frameLeft = header.readUIntBE(0, 3);
    this.#padding = 0;
    const stream = header.readUInt32BE(5) & STREAM_MASK;
    this.#isDiverted = header[3] === TYPE_DATA && stream !== 0 && stream === this.#stream;
    if (!this.#isDiverted) {
      this.push(Buffer.from(header));
      return;
    }
    this.#expectsPadLength = (header[4]! & FLAG_PADDED) !== 0;
    // The stream's end is told to Node by a frame without data.
    if ((header[4]! & FLAG_END_STREAM) !== 0) this.push(frame(TYPE_DATA, FLAG_END_STREAM, stream));
  }

  /** Takes bytes of a frame; returns how many. */
  #take(at: number, length: number): number {
    if (this.#isDiverted && this.#expectsPadLength) return this.#takePadLength(at);
    // Zero and less once only padding is to come.
    const left = this.#frameLeft - this.#padding;
    const taken = Math.min(left > 0 ? left : this.#frameLeft, length - at);
    const bytes = this.#buffer.subarray(at, at + taken);
    this.#frameLeft -= taken;
    if (!this.#isDiverted) this.push(Buffer.from(bytes));
    else if (left <= 0) this.#acknowledge(taken);
    else if (this.#isHeld) this.#enqueue(bytes);
    else this.#deliver(bytes);
    return taken;
  }

  #takePadLength(at: number): number {
    this.#expectsPadLength = false;
    this.#frameLeft -= 1;
    this.#acknowledge(1);
    this.#padding = this.#buffer[at]!;
    if (this.#padding > this.#frameLeft) this.destroy(new Error('a frame has too much padding'));
    return 1;
  }

  #deliver(bytes: Buffer): void {
    this.#reader?.(bytes);
    this.#acknowledge(bytes.length);
  }

  #enqueue(bytes: Buffer): void {
    if (this.#queue.length === 0) this.#queue = Buffer.allocUnsafeSlow(this.#windowBytes);
    if (this.#queueEnd + bytes.length > this.#queue.length) {
      this.#queue.copyWithin(0, this.#queueStart, this.#queueEnd);
      this.#queueEnd -= this.#queueStart;
      this.#queueStart = 0;
    }
    if (this.#queueEnd + bytes.length > this.#queue.length) {
      this.destroy(new Error('the member sent more than its window'));
      return;
    }
    this.#queueEnd += bytes.copy(this.#queue, this.#queueEnd);
  }

  /** Counts bytes against both windows, padding too, and opens them again. */
  #acknowledge(bytes: number): void {
    this.#unacknowledged += bytes;
    if (this.#unacknowledged < this.#windowBytes * UPDATE_PART || !this.#socket.writable) return;
    const increment = Buffer.alloc(4);
    increment.writeUInt32BE(this.#unacknowledged);
    this.#unacknowledged = 0;
    this.#socket.write(frame(TYPE_WINDOW_UPDATE, 0, 0, increment));
    // On a stream that we have reset nothing more may be sent (section 5.1, "closed").
    if (this.#reader !== undefined) {
      this.#socket.write(frame(TYPE_WINDOW_UPDATE, 0, this.#stream, increment));
    }
  }
}

function frame(type: number, flags: number, stream: number, payload = Buffer.alloc(0)): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntBE(payload.length, 0, 3);
  header[3] = type;
  header[4] = flags;
  header.writeUInt32BE(stream, 5);
  return Buffer.concat([header, payload]);
}
