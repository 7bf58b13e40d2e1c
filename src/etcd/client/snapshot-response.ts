// The messages of Maintenance.Snapshot, parsed as they come. A snapshot is one 32 KiB message after
// another; their blobs are passed on as views of the received bytes, so that nothing is copied
// or allocated per message.

/** A malformed stream, with the byte offset in it. */
export class MalformedStream extends Error {
  readonly offset: number;

  constructor(message: string, offset: number) {
    super(message);
    this.offset = offset;
  }
}

/** Receives what the parser finds, in the order of the bytes. */
export interface SnapshotMessages {
  /**
   * A blob begins, once in every message: a blob of no bytes is left out on the wire.
   * `remaining` is the message's remaining_bytes, 0 where it is left out.
   */
  blobStart(blobBytes: number, remaining: number): void;
  /** The next bytes of the blob: a view that is valid during the call only. */
  blobBytes(bytes: Uint8Array): void;
  /** The message is over. */
  messageEnd(version: string): void;
}

// gRPC over HTTP/2: one byte of flags (1 = compressed) and four of length before each message.
const PREFIX_BYTES = 5;

// Field numbers of etcdserverpb.SnapshotResponse with their wire types, as protobuf tags.
const HEADER = (1 << 3) | 2;
const REMAINING_BYTES = (2 << 3) | 0;
const BLOB = (3 << 3) | 2;
const VERSION = (4 << 3) | 2;

// A version is a few bytes; a header is never sent. Anything longer is not from etcd.
const MAX_SMALL_FIELD_BYTES = 1024;

// A varint has ten bytes at most, of seven bits each.
const MAX_VARINT_SCALE = 2 ** 70;

type State = 'prefix' | 'tag' | 'length' | 'number' | 'blob' | 'small';

/** An incremental parser: `push` takes bytes in pieces of any size. */
export class SnapshotResponseParser {
  readonly #messages: SnapshotMessages;
  #state: State = 'prefix';
  #offset = 0;
  #prefix = new Uint8Array(PREFIX_BYTES);
  #prefixFilled = 0;
  /** Bytes left of the message, and of the field that is being read. */
  #messageLeft = 0;
  #fieldLeft = 0;
  #field = 0;
  #number = 0;
  #numberScale = 1;
  #small: number[] = [];
  #remaining = 0;
  #hadBlob = false;
  #version = '';

  constructor(messages: SnapshotMessages) {
    this.#messages = messages;
  }

  /** Whether the bytes so far end where a message ends. */
  get atBoundary(): boolean {
    return this.#state === 'prefix' && this.#prefixFilled === 0;
  }

  /** @throws MalformedStream */
  push(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const taken = this.#state === 'blob' ? this.#blob(bytes, at) : this.#byte(bytes[at]!);
      at += taken;
      this.#offset += taken;
      if (this.#state !== 'prefix' && this.#messageLeft === 0) this.#endMessage();
    }
  }

  #blob(bytes: Uint8Array, at: number): number {
    const length = Math.min(this.#fieldLeft, bytes.length - at);
    this.#messages.blobBytes(bytes.subarray(at, at + length));
    this.#fieldLeft -= length;
    this.#messageLeft -= length;
    if (this.#fieldLeft === 0) this.#state = 'tag';
    return length;
  }

  #byte(byte: number): number {
    if (this.#state === 'prefix') {
      this.#prefix[this.#prefixFilled++] = byte;
      if (this.#prefixFilled === PREFIX_BYTES) this.#startMessage();
      return 1;
    }
    this.#messageLeft -= 1;
    switch (this.#state) {
      case 'tag':
        this.#startField(byte);
        break;
      case 'small':
        this.#small.push(byte);
        this.#fieldLeft -= 1;
        if (this.#fieldLeft === 0) this.#endSmall();
        break;
      default:
        this.#varint(byte);
    }
    return 1;
  }

  #startMessage(): void {
    const [flags, a, b, c, d] = this.#prefix as unknown as [number, number, number, number, number];
    if (flags !== 0) this.#malformed(`a message has flags ${flags}, and none were offered`);
    this.#messageLeft = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
    this.#prefixFilled = 0;
    this.#remaining = 0;
    this.#hadBlob = false;
    this.#state = 'tag';
  }

  #startField(tag: number): void {
    this.#field = tag;
    this.#number = 0;
    this.#numberScale = 1;
    if (tag === REMAINING_BYTES) {
      // It says how long the database is, so it must be known before the first byte of it.
      if (this.#hadBlob) this.#malformed('remaining_bytes stands behind the blob');
      this.#state = 'number';
    } else if (tag === BLOB || tag === VERSION || tag === HEADER) {
      this.#state = 'length';
    } else {
      this.#malformed(`SnapshotResponse has no field with tag ${tag}`);
    }
  }

  #varint(byte: number): void {
    this.#number += (byte & 0x7f) * this.#numberScale;
    this.#numberScale *= 128;
    if (!Number.isSafeInteger(this.#number) || this.#numberScale > MAX_VARINT_SCALE) {
      this.#malformed('a number is out of range');
    }
    if (byte >= 0x80) return;
    if (this.#state === 'number') {
      this.#remaining = this.#number;
      this.#state = 'tag';
      return;
    }
    this.#startContent(this.#number);
  }

  #startContent(length: number): void {
    if (length > this.#messageLeft) this.#malformed('a field is longer than its message');
    this.#fieldLeft = length;
    if (this.#field === BLOB) {
      if (this.#hadBlob) this.#malformed('a message has two blobs');
      this.#hadBlob = true;
      this.#messages.blobStart(length, this.#remaining);
      this.#state = length === 0 ? 'tag' : 'blob';
      return;
    }
    if (length > MAX_SMALL_FIELD_BYTES) this.#malformed(`a field is ${length} bytes long`);
    this.#small = [];
    this.#state = 'small';
    if (length === 0) this.#endSmall();
  }

  #endSmall(): void {
    if (this.#field === VERSION) this.#version = Buffer.from(this.#small).toString('utf8');
    this.#state = 'tag';
  }

  #endMessage(): void {
    if (this.#state !== 'tag') this.#malformed('a message ends inside a field');
    if (!this.#hadBlob) this.#messages.blobStart(0, this.#remaining);
    this.#messages.messageEnd(this.#version);
    this.#state = 'prefix';
  }

  #malformed(message: string): never {
    throw new MalformedStream(message, this.#offset);
  }
}
