// Small pieces of a stream, joined while whoever takes them is busy: each one is passed to a thread of zlib and back, which costs
// more than unpacking what one message has.

import { Duplex } from 'node:stream';

/** Of both sides, and of what is unpacked from it. */
export const PIECE_BYTES = 512 << 10;

type Done = (error?: Error | null) => void;

export class JoinedPieces extends Duplex {
  #waiting: Done | undefined;

  constructor() {
    super({ writableHighWaterMark: PIECE_BYTES, readableHighWaterMark: 1 });
  }

  override _write(piece: Buffer, _: BufferEncoding, done: Done): void {
    this.#pass(piece, done);
  }

  /** All that has come meanwhile. */
  override _writev(pieces: { readonly chunk: unknown }[], done: Done): void {
    this.#pass(Buffer.concat(pieces.map(({ chunk }) => chunk as Buffer)), done);
  }

  override _final(done: Done): void {
    this.push(null);
    done();
  }

  override _read(): void {
    const done = this.#waiting;
    this.#waiting = undefined;
    done?.();
  }

  #pass(bytes: Buffer, done: Done): void {
    if (this.push(bytes)) done();
    else this.#waiting = done;
  }
}
