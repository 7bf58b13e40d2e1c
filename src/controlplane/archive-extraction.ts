// Takes files out of an archive of static resources. Each goes into a new directory or under a new name that it is given,
// and nothing of the archive says where: paths are only looked up, never followed.

import { constants } from 'node:fs';
import { chmod, chown, lchown, mkdir, open, symlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { CompressionError, Decompressor } from '../base/decompressor.ts';
import { createFile, syncDirectory } from '../base/durable-files.ts';
import { EtcdkeepError, readError, writeError } from '../base/errors.ts';
import { TarSyntaxError } from '../base/tar-header.ts';
import { type TarEntry, TarReader } from '../base/tar-reader.ts';
import { formatBytes } from '../base/units.ts';
import { ARCHIVE_LIMITS, normalized } from './archive-members.ts';

/** A member of the archive, with all below it if it is a directory. */
export interface Extracted {
  /** Path in the archive, without a slash at either end. */
  readonly member: string;
  /** Where it goes: a name in a directory that exists, which nothing has yet. */
  readonly to: string;
}

/** So little that what comes out of it can be held in memory, however well it was compressed. */
const CHUNK_BYTES = 16 << 10;

/** Of files that hold keys, until the archive says otherwise. */
const DIRECTORY_MODE = 0o700;

/**
 * Extracts some members of an archive, with modes and numeric owners, and brings them to the disk. Symbolic links are made
 * as they are and never followed; hard links are refused, as no archive of a backup has any.
 * @throws EtcdkeepError `archive-unusable` if it is damaged, lacks one of them, or has one twice; `disk-full`,
 * `target-unwritable`, `file-failed`; the signal's reason. What was extracted so far is left for the caller to remove
 */
export async function extractMembers(
  archive: string,
  wanted: readonly Extracted[],
  signal: AbortSignal,
): Promise<void> {
  const extraction = new Extraction(archive, wanted);
  const tar = new TarReader(extraction);
  let bytes = 0;
  const gzip = new Decompressor('gzip', (piece) => {
    bytes += piece.length;
    if (bytes > ARCHIVE_LIMITS.unpackedBytes) {
      throw extraction.unusable(
        `it unpacks to more than ${formatBytes(ARCHIVE_LIMITS.unpackedBytes)}`,
      );
    }
    tar.push(piece);
  });
  try {
    await using file = await openArchive(archive);
    const chunk = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES).catch((reason: unknown) => {
        throw readError(reason, 'read the archive', archive);
      });
      if (bytesRead === 0) break;
      await gzip.write(chunk.subarray(0, bytesRead));
      await extraction.write();
    }
    await gzip.end();
    tar.finish();
    await extraction.finish();
  } catch (reason) {
    if (!(reason instanceof CompressionError || reason instanceof TarSyntaxError)) throw reason;
    throw extraction.unusable(reason.message);
  } finally {
    gzip.close();
    await extraction.close();
  }
}

async function openArchive(path: string) {
  try {
    // Without O_NONBLOCK the opening of a pipe waits for a writer.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (reason) {
    throw readError(reason, 'read the archive', path);
  }
}

type Effect = () => Promise<void>;

/** Turns members into effects, which are made between two pieces of the archive. */
class Extraction {
  readonly #archive: string;
  readonly #wanted: readonly Extracted[];
  /** What was made: directories may come twice, nothing else does. */
  readonly #made = new Map<string, 'directory' | 'other'>();
  #effects: Effect[] = [];
  /** Modes and owners of directories come last: some may not be written to. */
  readonly #finishing: Effect[] = [];
  /** Where the member that comes by goes: one that is wanted twice goes to two places. */
  #paths: readonly string[] = [];
  readonly #files = new Map<string, Awaited<ReturnType<typeof createFile>>>();

  constructor(archive: string, wanted: readonly Extracted[]) {
    this.#archive = archive;
    this.#wanted = wanted;
  }

  entry = (entry: TarEntry): void => {
    this.#paths = this.#placesOf(entry);
    for (const path of this.#paths) this.#begin(entry, path);
  };

  data = (bytes: Buffer): void => {
    if (this.#paths.length === 0) return;
    const copy = Buffer.from(bytes);
    for (const path of this.#paths) {
      this.#effects.push(() => attempt(path, () => this.#files.get(path)!.writeFile(copy)));
    }
  };

  end = (): void => {
    for (const path of this.#paths) {
      this.#effects.push(async () => {
        const file = this.#files.get(path);
        if (file === undefined) return;
        await attempt(path, () => file.sync());
        this.#files.delete(path);
        await file.close();
      });
    }
  };

  async write(): Promise<void> {
    const effects = this.#effects;
    this.#effects = [];
    for (const effect of effects) await effect();
  }

  /** Gives directories their modes, the innermost first, and brings every name to the disk. */
  async finish(): Promise<void> {
    await this.write();
    for (const { member, to } of this.#wanted) {
      if (!this.#made.has(to)) throw this.unusable(`it has no ${member}`);
    }
    for (const effect of this.#finishing.reverse()) await effect();
    const directories = [...this.#made].filter(([, kind]) => kind === 'directory');
    for (const [directory] of directories) await syncDirectory(directory);
    for (const above of new Set(this.#wanted.map(({ to }) => dirname(to)))) {
      await syncDirectory(above);
    }
  }

  async close(): Promise<void> {
    for (const file of this.#files.values()) await file.close();
  }

  unusable(why: string): EtcdkeepError {
    const path = this.#archive;
    return new EtcdkeepError('archive-unusable', `cannot use the static resources: ${why}`, {
      path,
    });
  }

  #placesOf({ path: stored }: TarEntry): readonly string[] {
    const path = normalized(stored);
    return this.#wanted
      .filter(({ member }) => path === member || path.startsWith(`${member}/`))
      .map(({ member, to }) => {
        const rest = path.slice(member.length);
        const inner = rest.split('/').slice(1);
        if (inner.some((part) => ['', '.', '..'].includes(part))) {
          throw this.unusable(`the path of ${path} has empty parts or dots in it`);
        }
        return `${to}${rest}`;
      });
  }

  #begin(entry: TarEntry, path: string): void {
    const { kind, uid, gid, mode, linkTarget } = entry;
    this.#makeAbove(entry, path);
    if (this.#made.get(path) === 'directory' && kind === 'directory') return;
    if (this.#made.has(path)) throw this.unusable(`${entry.path} is in it twice`);
    this.#made.set(path, kind === 'directory' ? 'directory' : 'other');
    const settle = async (): Promise<void> => {
      await chown(path, uid, gid);
      await chmod(path, mode);
    };
    switch (kind) {
      case 'file':
        this.#effects.push(async () => {
          this.#files.set(path, await createFile(path));
          await attempt(path, settle);
        });
        return;
      case 'directory':
        this.#effects.push(() => attempt(path, () => mkdir(path, { mode: DIRECTORY_MODE })));
        this.#finishing.push(() => attempt(path, settle));
        return;
      case 'symlink':
        this.#effects.push(() =>
          attempt(path, async () => {
            await symlink(linkTarget!, path);
            await lchown(path, uid, gid);
          }),
        );
        return;
      default:
        throw this.unusable(`${entry.path} is a ${kind}`);
    }
  }

  /** Directories that the archive does not name are made as the ones below are: what is above is one of ours. */
  #makeAbove(entry: TarEntry, path: string): void {
    if (this.#wanted.some(({ to }) => to === path)) return;
    const above = dirname(path);
    const kind = this.#made.get(above);
    if (kind === 'directory') return;
    if (kind !== undefined) {
      throw this.unusable(`${entry.path} lies in what is no directory`);
    }
    this.#makeAbove(entry, above);
    this.#made.set(above, 'directory');
    this.#effects.push(() => attempt(above, () => mkdir(above, { mode: 0o755 })));
  }
}

async function attempt(path: string, call: () => Promise<unknown>): Promise<void> {
  try {
    await call();
  } catch (reason) {
    throw writeError(reason, `extract ${basename(path)}`, path);
  }
}
