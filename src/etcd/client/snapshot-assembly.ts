// Puts the messages of a snapshot together to the bytes of the database and the digest behind
// them, and holds every message against what the first one announced.

import type { Hash } from 'node:crypto';
import { EtcdkeepError } from '../../base/errors.ts';
import { type SnapshotMessages, SnapshotResponseParser } from './snapshot-response.ts';

/** Takes the bytes of the database as they come. */
export interface SnapshotSink {
  /** Called once, before the first byte. */
  begin(totalBytes: number): void;
  /**
   * The next bytes: a view that is valid during the call only. A promise asks for a pause until it
   * is settled; bytes that were already under way (at most 64 KiB) still come.
   */
  write(bytes: Uint8Array): Promise<void> | undefined;
}

/** A snapshot of which all that arrived agrees with all that was announced. */
export interface StreamedSnapshot {
  /** Size of the database in bytes, without the 32 bytes of the digest that follow it. */
  readonly databaseBytes: number;
  /** The member's own SHA-256 of the database, equal to that of the bytes received. */
  readonly digest: Buffer;
  /** SHA-256 of the database and its digest together: of the file that etcdctl would save. */
  readonly fileDigest: Buffer;
  /** meta/storageVersion as the server sends it from 3.6 on, for example `3.6.0`; else ''. */
  readonly storageVersion: string;
}

const DIGEST_BYTES = 32;

export class SnapshotAssembly implements SnapshotMessages {
  /** Bytes of the database so far. */
  receivedBytes = 0;
  /** Announced by the first message. */
  totalBytes: number | undefined;
  readonly #sink: SnapshotSink;
  readonly #hash: Hash;
  readonly #url: string;
  readonly #parser = new SnapshotResponseParser(this);
  #digest: Buffer | undefined;
  #digestFilled = 0;
  #version = '';
  #busy: Promise<void> | undefined;

  constructor(sink: SnapshotSink, hash: Hash, url: string) {
    this.#sink = sink;
    this.#hash = hash;
    this.#url = url;
  }

  /**
   * Takes the next bytes of the stream.
   * @returns a promise if the sink asks for a pause
   */
  push(bytes: Uint8Array): Promise<void> | undefined {
    this.#busy = undefined;
    this.#parser.push(bytes);
    return this.#busy;
  }

  blobStart(blobBytes: number, remaining: number): void {
    if (this.totalBytes === undefined) {
      this.totalBytes = remaining + blobBytes;
      // An empty first chunk is an unreadable database, not a database of no bytes.
      if (blobBytes > 0) this.#sink.begin(this.totalBytes);
    }
    const expected = this.totalBytes - this.receivedBytes;
    if (expected === 0) {
      this.#startDigest(blobBytes);
      return;
    }
    // bbolt's copy failed half way, which the server does not notice: it sends empty chunks for
    // ever (server/etcdserver/api/v3rpc/maintenance.go, Snapshot).
    if (blobBytes === 0) {
      throw new EtcdkeepError(
        'stream-empty-chunk',
        `the member sent an empty chunk with ${expected} bytes still to come`,
        { endpoint: this.#url, offset: this.receivedBytes },
      );
    }
    if (blobBytes + remaining !== expected) {
      throw this.#inconsistent(
        `the member announced ${blobBytes + remaining} more bytes where ${expected} are missing`,
      );
    }
  }

  blobBytes(bytes: Uint8Array): void {
    if (this.#digest !== undefined) {
      this.#digest.set(bytes, this.#digestFilled);
      this.#digestFilled += bytes.length;
      return;
    }
    this.#hash.update(bytes);
    this.receivedBytes += bytes.length;
    this.#busy = this.#sink.write(bytes) ?? this.#busy;
  }

  messageEnd(version: string): void {
    this.#version = version;
  }

  /** Compares what came, at the end of a stream that ended well. */
  conclude(): StreamedSnapshot {
    const { totalBytes, receivedBytes } = this;
    const endpoint = this.#url;
    if (totalBytes === undefined || receivedBytes < totalBytes || !this.#parser.atBoundary) {
      throw new EtcdkeepError(
        'stream-cut',
        `the member ended the stream after ${receivedBytes} of ${totalBytes ?? 'no'} bytes`,
        { endpoint, offset: receivedBytes },
      );
    }
    if (this.#digest === undefined) {
      throw new EtcdkeepError(
        'digest-missing',
        'the member ended the stream without the digest of what it had sent',
        { endpoint, offset: receivedBytes },
      );
    }
    const wholeFile = this.#hash.copy().update(this.#digest);
    const computed = this.#hash.digest();
    if (!computed.equals(this.#digest)) {
      throw new EtcdkeepError(
        'digest-mismatch',
        "the SHA-256 of the bytes received differs from the member's",
        {
          endpoint,
          facts: [
            ['computed', computed.toString('hex')],
            ['sent', this.#digest.toString('hex')],
          ],
        },
      );
    }
    return {
      databaseBytes: totalBytes,
      digest: computed,
      fileDigest: wholeFile.digest(),
      storageVersion: this.#version,
    };
  }

  #startDigest(blobBytes: number): void {
    if (this.#digest !== undefined) {
      throw this.#inconsistent('the member sent more messages after the digest');
    }
    if (blobBytes !== DIGEST_BYTES) {
      throw this.#inconsistent(`the member sent a digest of ${blobBytes} bytes`);
    }
    this.#digest = Buffer.alloc(DIGEST_BYTES);
  }

  #inconsistent(message: string): EtcdkeepError {
    return new EtcdkeepError('stream-inconsistent', message, {
      endpoint: this.#url,
      offset: this.receivedBytes,
    });
  }
}
