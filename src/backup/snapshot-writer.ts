// Where a snapshot's bytes go as they come: into a chunk of aligned memory, past the scan that
// follows the structure of the database, and from there to the disk, several chunks at a time.

import type { AlignedMemory } from '../base/aligned-memory.ts';
import type { DirectFile } from '../base/direct-file.ts';
import { EtcdkeepError } from '../base/errors.ts';
import type { PageSource } from '../bbolt/page-source.ts';
import type { SnapshotSink } from '../etcd/client/snapshot-assembly.ts';
import type { DatabaseStatus } from '../etcd/store/database-status.ts';
import { SnapshotScan } from '../etcd/store/snapshot-scan.ts';

const CHUNK_BYTES = 1 << 20;
const CHUNK_COUNT = 8;

/** The stream is paused while fewer chunks than this are free: room for what is under way. */
const SPARE_CHUNKS = 2;

export class SnapshotWriter implements SnapshotSink {
  /** Follows the stream; set by the first message. */
  #scan: SnapshotScan | undefined;
  readonly #file: DirectFile;
  readonly #memory: AlignedMemory;
  readonly #progress: (bytes: number, totalBytes: number) => void;
  readonly #free: number[] = [];
  readonly #writes = new Set<Promise<void>>();
  #totalBytes = 0;
  /** The chunk that is being filled: where it lies, how full it is, and its place in the file. */
  #chunk = 0;
  #filled = 0;
  #fileOffset = 0;
  #failure: { readonly reason: unknown } | undefined;
  /** Settled when the stream may go on; undefined while it does. */
  #room: PromiseWithResolvers<void> | undefined;

  constructor(
    file: DirectFile,
    memory: AlignedMemory,
    progress: (bytes: number, totalBytes: number) => void,
  ) {
    this.#file = file;
    this.#memory = memory;
    this.#progress = progress;
    const pool = memory.reserve(CHUNK_BYTES * CHUNK_COUNT);
    for (let chunk = 0; chunk < CHUNK_COUNT; chunk += 1) {
      this.#free.push(pool + chunk * CHUNK_BYTES);
    }
    this.#chunk = this.#free.pop()!;
  }

  begin(totalBytes: number): void {
    this.#totalBytes = totalBytes;
    this.#scan = new SnapshotScan(totalBytes, this.#memory);
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    this.#throwFailure();
    let taken = 0;
    while (taken < bytes.length) {
      const length = Math.min(bytes.length - taken, CHUNK_BYTES - this.#filled);
      this.#memory.bytes.set(bytes.subarray(taken, taken + length), this.#chunk + this.#filled);
      this.#filled += length;
      taken += length;
      if (this.#filled === CHUNK_BYTES) this.#submit();
    }
    if (this.#free.length >= SPARE_CHUNKS) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /**
   * Writes what is left and the digest behind it, and brings all of it to the disk.
   * @throws EtcdkeepError `disk-full`, `file-failed`
   */
  async finish(digest: Uint8Array): Promise<void> {
    const length = this.#filled;
    this.#scan?.push(this.#chunk, length);
    await Promise.all(this.#writes);
    this.#throwFailure();
    const tail = Buffer.concat([this.#memory.view(this.#chunk, length), digest]);
    await this.#file.write(tail, this.#fileOffset);
    await this.#file.sync();
    this.#progress(this.#totalBytes, this.#totalBytes);
  }

  /**
   * Walks the tree of what was written.
   * @param source the finished file
   * @throws EtcdkeepError `database-damaged`, `stream-inconsistent`, `file-failed`
   */
  async walk(source: PageSource): Promise<DatabaseStatus> {
    const status = await this.#scan!.finish(source);
    if (status.totalSize === this.#totalBytes) return status;
    throw new EtcdkeepError(
      'stream-inconsistent',
      `the member sent ${this.#totalBytes} bytes of a database of ${status.totalSize}`,
      { path: this.#file.path },
    );
  }

  /** Waits until no write is under way any more, so that the file can be closed. */
  async settle(): Promise<void> {
    await Promise.all(this.#writes);
  }

  /** Hands the full chunk to the scan and to the disk, and begins the next one. */
  #submit(): void {
    const chunk = this.#chunk;
    const offset = this.#fileOffset;
    this.#scan!.push(chunk, CHUNK_BYTES);
    const write = this.#file
      .write(this.#memory.view(chunk, CHUNK_BYTES), offset)
      .catch((reason: unknown) => {
        this.#failure ??= { reason };
      })
      .then(() => {
        this.#writes.delete(write);
        this.#release(chunk);
      });
    this.#writes.add(write);
    this.#fileOffset += CHUNK_BYTES;
    this.#filled = 0;
    this.#progress(this.#fileOffset, this.#totalBytes);
    const next = this.#free.pop();
    if (next === undefined) throw new Error('the stream was not paused when it was asked to be');
    this.#chunk = next;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.reason as Error;
  }

  #release(chunk: number): void {
    this.#free.push(chunk);
    if (this.#free.length < SPARE_CHUNKS && this.#failure === undefined) return;
    this.#room?.resolve();
    this.#room = undefined;
  }
}
