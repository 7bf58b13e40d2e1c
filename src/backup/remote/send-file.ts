// The other end of fetch-file.ts, on the node: a file from an offset on, compressed.

import { createReadStream } from 'node:fs';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import { readError } from '../../base/errors.ts';

const CHUNK_BYTES = 1 << 20;

/** Fast: the network, and the node's processor, are what it is for. */
const LEVEL = 1;

/** @throws EtcdkeepError `file-failed` */
export async function sendFile(path: string, offset: number, to: Writable): Promise<void> {
  try {
    await pipeline(
      createReadStream(path, { start: offset, highWaterMark: CHUNK_BYTES }),
      createZstdCompress({
        chunkSize: CHUNK_BYTES,
        params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
      }),
      to,
    );
  } catch (reason) {
    throw readError(reason, 'send the file', path);
  }
}
