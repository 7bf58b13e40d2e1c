// Reads one small file out of an archive of static resources, into memory.

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { Decompressor } from '../base/decompressor.ts';
import { readError } from '../base/errors.ts';
import { type TarEntry, TarReader } from '../base/tar-reader.ts';

/** Manifests hold a few kB. */
const MAX_TEXT_BYTES = 1 << 20;
const CHUNK_BYTES = 128 << 10;

/**
 * The text of a file in the archive.
 * @param member its path there, without `./` in front
 * @returns undefined if the archive has no such file, or one that is no small text
 * @throws EtcdkeepError `file-failed`, also where the archive is damaged
 */
export async function readArchivedText(path: string, member: string): Promise<string | undefined> {
  let pieces: Buffer[] | undefined;
  let isInside = false;
  const tar = new TarReader({
    entry: ({ path: name, kind, bytes }: TarEntry) => {
      isInside = kind === 'file' && bytes <= MAX_TEXT_BYTES && name.replace(/^\.\//, '') === member;
      // Of two members of one path the last one counts.
      if (isInside) pieces = [];
    },
    data: (bytes) => {
      if (isInside) pieces?.push(Buffer.from(bytes));
    },
    end: () => {
      isInside = false;
    },
  });
  const gzip = new Decompressor('gzip', (bytes) => tar.push(bytes));
  try {
    await using file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const buffer = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES);
      if (bytesRead === 0) break;
      await gzip.write(buffer.subarray(0, bytesRead));
    }
    await gzip.end();
    tar.finish();
    return pieces && Buffer.concat(pieces).toString('utf8');
  } catch (reason) {
    throw readError(reason, `read ${member} in the archive`, path);
  } finally {
    gzip.close();
  }
}
