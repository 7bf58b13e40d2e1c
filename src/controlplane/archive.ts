// The archive of the static resources: what `tar -cpzf` makes of them, with a digest of every file.
// The same files give the same bytes: names are in order, and gzip's header carries no time.

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { basename } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { createTarPacker, type TarHeader, type TarPackController } from 'modern-tar';
import { createFile } from '../base/durable-files.ts';
import { readError, systemCodeOf, writeError } from '../base/errors.ts';
import type { Host } from './host.ts';
import { changed, entryPath, type TreeEntry, versionOf } from './resource-tree.ts';

/** A file in the archive. */
export interface ArchiveMember {
  /** `static-pod-resources/etcd-pod-3/etcd-pod.yaml` */
  readonly path: string;
  readonly bytes: number;
  /** Permission bits as four octal digits: `0600`. */
  readonly mode: string;
  /** Of the contents, in lower-case hex. */
  readonly sha256: string;
}

export interface Archive {
  /** Files alone, in the order of the archive. */
  readonly members: readonly ArchiveMember[];
  /** Of the archive itself, compressed. */
  readonly bytes: number;
  readonly sha256: string;
}

// The packer keeps the chunks it is given until they are compressed: each is a buffer of its own.
const CHUNK_BYTES = 64 << 10;

/**
 * Writes the archive to a file that must not exist, with mode 0600, and brings it to the disk.
 * Modes, numeric owners and times (in seconds) are kept; owners have no names in it, because a name
 * means another number on another host. Symbolic links are kept as links; files that are hard links
 * of one another become files of their own.
 *
 * When it fails, what was written so far is left for the caller to remove, and no file is open.
 * @param entries as listed a moment ago; that they are still the same is checked as they are read
 * @throws EtcdkeepError `resources-changing`, `target-exists`, `target-unwritable`, `disk-full`,
 * `file-failed`; the signal's reason once it has fired
 */
export async function writeArchive(
  host: Host,
  entries: readonly TreeEntry[],
  path: string,
  signal: AbortSignal,
): Promise<Archive> {
  signal.throwIfAborted();
  const output = await createFile(path);
  try {
    const { readable, controller } = createTarPacker();
    const sink = new DigestingSink(output, path);
    const [compressed, packed] = await Promise.allSettled([
      pipeline(
        Readable.fromWeb(readable),
        createGzip(),
        (source: AsyncIterable<Buffer>) => sink.drain(source),
        {
          signal,
        },
      ),
      packEntries(host, entries, controller, signal),
    ]);
    signal.throwIfAborted();
    // Compressing ends with the packer's reason, the packer in the other case with one of its own.
    if (compressed.status === 'rejected') throw compressed.reason;
    if (packed.status === 'rejected') throw packed.reason;
    return { members: packed.value, bytes: sink.bytes, sha256: await sink.finish() };
  } finally {
    await output.close();
  }
}

/** Writes to a file, counts and digests. */
class DigestingSink {
  bytes = 0;
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #hash = createHash('sha256');

  constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  async drain(source: AsyncIterable<Buffer>): Promise<void> {
    for await (const chunk of source) {
      await this.#attempt(() => this.#file.writeFile(chunk));
      this.#hash.update(chunk);
      this.bytes += chunk.length;
    }
  }

  /** Brings the file to the disk and returns the digest of all of it. */
  async finish(): Promise<string> {
    await this.#attempt(() => this.#file.sync());
    return this.#hash.digest('hex');
  }

  async #attempt(call: () => Promise<void>): Promise<void> {
    try {
      await call();
    } catch (reason) {
      throw writeError(reason, `write ${basename(this.#path)}`, this.#path);
    }
  }
}

async function packEntries(
  host: Host,
  entries: readonly TreeEntry[],
  controller: TarPackController,
  signal: AbortSignal,
): Promise<readonly ArchiveMember[]> {
  const members: ArchiveMember[] = [];
  try {
    for (const entry of entries) {
      signal.throwIfAborted();
      const body = controller.add(headerOf(entry)).getWriter();
      if (entry.type === 'file') {
        const sha256 = await packFile(host, entry, (chunk) => body.write(chunk), signal);
        const mode = entry.mode.toString(8).padStart(4, '0');
        members.push({ path: entry.path, bytes: entry.sizeBytes, mode, sha256 });
      }
      await body.close();
    }
    controller.finalize();
    return members;
  } catch (reason) {
    controller.error(reason);
    throw reason;
  }
}

function headerOf(entry: TreeEntry): TarHeader {
  return {
    name: entry.type === 'directory' ? `${entry.path}/` : entry.path,
    type: entry.type,
    size: entry.sizeBytes,
    mode: entry.mode,
    uid: entry.uid,
    gid: entry.gid,
    // The format has no time before 1970.
    mtime: new Date(Math.max(entry.modified.getTime(), 0)),
    ...(entry.target === undefined ? {} : { linkname: entry.target }),
  };
}

/** Hands over a file's bytes, exactly as many as were listed, and returns their digest. */
async function packFile(
  host: Host,
  entry: TreeEntry,
  write: (chunk: Uint8Array) => Promise<void>,
  signal: AbortSignal,
): Promise<string> {
  const hash = createHash('sha256');
  const file = await openListed(host, entry);
  try {
    for (let left = entry.sizeBytes; left > 0; ) {
      signal.throwIfAborted();
      const chunk = await readChunk(host, entry, file, Math.min(left, CHUNK_BYTES));
      hash.update(chunk);
      left -= chunk.length;
      await write(chunk);
    }
    await checkVersion(file, entry);
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

async function openListed(host: Host, entry: TreeEntry): Promise<FileHandle> {
  let file: FileHandle;
  try {
    // What took the file's place may be a link to follow or a pipe to wait for: neither is done.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    file = await open(entryPath(host, entry.path), flags);
  } catch (reason) {
    if (['ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO'].includes(systemCodeOf(reason) ?? '')) {
      throw changed(entry.path, reason);
    }
    throw readError(reason, `read ${entry.path}`, entryPath(host, entry.path));
  }
  try {
    await checkVersion(file, entry);
    return file;
  } catch (reason) {
    await file.close();
    throw reason;
  }
}

async function readChunk(
  host: Host,
  entry: TreeEntry,
  file: FileHandle,
  sizeBytes: number,
): Promise<Uint8Array> {
  try {
    const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(sizeBytes), 0, sizeBytes);
    if (bytesRead === 0) throw changed(entry.path);
    return buffer.subarray(0, bytesRead);
  } catch (reason) {
    throw readError(reason, `read ${entry.path}`, entryPath(host, entry.path));
  }
}

async function checkVersion(file: FileHandle, entry: TreeEntry): Promise<void> {
  if (versionOf(await file.stat({ bigint: true })) !== entry.version) throw changed(entry.path);
}
