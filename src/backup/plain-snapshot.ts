// A snapshot as its readers need it: a plain file that can be read at any place. What other tools compressed, and what
// lies in one archive with the static resources (OpenShift 4.3.0), is unpacked into a file without a name.

import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, unlinkSync, writeSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Compression,
  CompressionError,
  compressionOf,
  Decompressor,
  MAGIC_BYTES,
} from '../base/decompressor.ts';
import { readFully, stagingName } from '../base/durable-files.ts';
import { EtcdkeepError, readError, writeError } from '../base/errors.ts';
import { parseTarHeader, TAR_BLOCK_BYTES, TarSyntaxError } from '../base/tar-header.ts';
import { type TarEntry, TarReader, type TarVisitor } from '../base/tar-reader.ts';
import { formatBytes } from '../base/units.ts';

export interface PlainSnapshot extends Disposable {
  /** Where it can be opened, until it is disposed of: the file that was named, or one that only this process can reach. */
  readonly path: string;
  /** How it was packed; undefined if it was not. */
  readonly compression: Compression | undefined;
  /** Path of the database in the archive that the file is; undefined if it is none. */
  readonly member: string | undefined;
  /** Of the database, its trailer included. */
  readonly bytes: number;
}

export interface PlainSnapshotRequest {
  readonly path: string;
  /** Where there is room to unpack it. */
  readonly directory: string;
  /** More than this is not unpacked. */
  readonly limitBytes: number;
  readonly progress?: (bytes: number, totalBytes: number) => void;
  readonly signal?: AbortSignal;
}

const CHUNK_BYTES = 128 << 10;

/**
 * Opens a snapshot. How it is packed is seen by its first bytes, never by its name. The unpacked file has mode 0600 and
 * loses its name before anything is in it: however the process ends, nothing is left.
 * @throws EtcdkeepError `snapshot-damaged` (it ends early, is damaged, something follows it, or there is no one database
 * in it), `snapshot-too-large`, `disk-full`, `target-unwritable`, `file-failed`; the signal's reason once it has fired
 */
export async function openPlainSnapshot(request: PlainSnapshotRequest): Promise<PlainSnapshot> {
  const { path } = request;
  const file = await openFile(path);
  try {
    const { size, isFile } = await look(file, path);
    if (!isFile)
      throw new EtcdkeepError('file-failed', 'cannot read the snapshot: it is no file', { path });
    const start = Buffer.alloc(MAGIC_BYTES);
    const length = await reading(path, () => readFully(file, start));
    const compression = compressionOf(start.subarray(0, length));
    if (compression !== undefined) return await unpack(request, file, size, compression);
    return { path, compression, member: undefined, bytes: size, [Symbol.dispose]: () => undefined };
  } finally {
    await file.close();
  }
}

async function unpack(
  { path, directory, limitBytes, progress, signal }: PlainSnapshotRequest,
  file: FileHandle,
  size: number,
  compression: Compression,
): Promise<PlainSnapshot> {
  const output = new NamelessFile(directory, limitBytes, path);
  const sink = new DatabaseSink(output);
  const decompressor = new Decompressor(compression, (bytes) => {
    signal?.throwIfAborted();
    sink.take(bytes);
  });
  try {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    for (let at = 0; ; ) {
      signal?.throwIfAborted();
      const { bytesRead } = await reading(path, () => file.read(buffer, 0, CHUNK_BYTES, at));
      if (bytesRead === 0) break;
      at += bytesRead;
      await decompressor.write(buffer.subarray(0, bytesRead));
      progress?.(at, size);
    }
    await decompressor.end();
    const member = sink.finish();
    return {
      path: output.path,
      compression,
      member,
      bytes: output.bytes,
      [Symbol.dispose]: () => output.close(),
    };
  } catch (reason) {
    output.close();
    throw damage(reason, path);
  } finally {
    decompressor.close();
  }
}

/** A file that has a descriptor and no name. */
class NamelessFile {
  readonly #descriptor: number;
  readonly #directory: string;
  readonly #limitBytes: number;
  readonly #source: string;
  bytes = 0;

  constructor(directory: string, limitBytes: number, source: string) {
    this.#directory = directory;
    this.#limitBytes = limitBytes;
    this.#source = source;
    // A kill between the two calls leaves an empty file, under a name that the next backup removes.
    const name = join(directory, `${stagingName()}-${randomBytes(3).toString('hex')}`);
    try {
      this.#descriptor = openSync(name, 'wx', 0o600);
      unlinkSync(name);
    } catch (reason) {
      throw writeError(reason, 'unpack the snapshot', directory);
    }
  }

  /** Opens the same file again (proc(5), /proc/pid/fd), in any thread of this process. */
  get path(): string {
    return `/proc/self/fd/${this.#descriptor}`;
  }

  write(bytes: Buffer): void {
    if (this.bytes + bytes.length > this.#limitBytes) {
      throw new EtcdkeepError(
        'snapshot-too-large',
        `the snapshot unpacks to more than ${formatBytes(this.#limitBytes)}`,
        { path: this.#source },
      );
    }
    try {
      for (let done = 0; done < bytes.length; ) done += writeSync(this.#descriptor, bytes, done);
    } catch (reason) {
      throw writeError(reason, 'unpack the snapshot', this.#directory);
    }
    this.bytes += bytes.length;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Takes what was unpacked: a database, or an archive with one in it. */
class DatabaseSink implements TarVisitor {
  readonly #output: NamelessFile;
  #start: Buffer = Buffer.alloc(0);
  /** Undefined until it is known, which takes a block. */
  #isArchive: boolean | undefined;
  readonly #tar = new TarReader(this);
  #member: string | undefined;
  #isInDatabase = false;

  constructor(output: NamelessFile) {
    this.#output = output;
  }

  take(bytes: Buffer): void {
    if (this.#isArchive === true) this.#tar.push(bytes);
    else if (this.#isArchive === false) this.#output.write(bytes);
    else {
      this.#start = Buffer.concat([this.#start, bytes]);
      if (this.#start.length >= TAR_BLOCK_BYTES) this.#decide();
    }
  }

  /** @returns path of the database in the archive, if it is one */
  finish(): string | undefined {
    if (this.#isArchive === undefined) this.#decide();
    if (this.#isArchive !== true) return undefined;
    this.#tar.finish();
    if (this.#member !== undefined) return this.#member;
    throw new EtcdkeepError('snapshot-damaged', 'there is no database in this archive');
  }

  entry = ({ path, kind }: TarEntry): void => {
    this.#isInDatabase = kind === 'file' && /(^|\/)([^/]*\.)?db$/.test(path);
    if (!this.#isInDatabase) return;
    if (this.#member !== undefined) {
      throw new EtcdkeepError(
        'snapshot-damaged',
        'there is more than one database in this archive',
        {
          facts: [['databases', `${this.#member}, ${path}`]],
        },
      );
    }
    this.#member = path;
  };

  data = (bytes: Buffer): void => {
    if (this.#isInDatabase) this.#output.write(bytes);
  };

  end = (): void => {
    this.#isInDatabase = false;
  };

  #decide(): void {
    this.#isArchive = isTarHeader(this.#start.subarray(0, TAR_BLOCK_BYTES));
    const start = this.#start;
    this.#start = Buffer.alloc(0);
    this.take(start);
  }
}

/** The checksum decides: a page of a database has none by chance. */
function isTarHeader(block: Buffer): boolean {
  try {
    parseTarHeader(block, 0);
    return true;
  } catch (reason) {
    if (reason instanceof TarSyntaxError) return false;
    throw reason;
  }
}

function damage(reason: unknown, path: string): unknown {
  if (reason instanceof EtcdkeepError && reason.position.path === undefined) {
    const { code, message, facts } = reason;
    return new EtcdkeepError(code, message, { path, facts });
  }
  const isSyntax = reason instanceof CompressionError || reason instanceof TarSyntaxError;
  if (!isSyntax) return reason;
  const { message, offset } = reason;
  return new EtcdkeepError('snapshot-damaged', `cannot unpack the snapshot: ${message}`, {
    path,
    offset,
    cause: reason,
  });
}

async function openFile(path: string): Promise<FileHandle> {
  // Without O_NONBLOCK the opening of a pipe waits for a writer.
  return reading(path, () => open(path, constants.O_RDONLY | constants.O_NONBLOCK));
}

async function look(file: FileHandle, path: string): Promise<{ size: number; isFile: boolean }> {
  const stats = await reading(path, () => file.stat());
  return { size: stats.size, isFile: stats.isFile() };
}

async function reading<T>(path: string, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (reason) {
    throw readError(reason, 'read the snapshot', path);
  }
}
