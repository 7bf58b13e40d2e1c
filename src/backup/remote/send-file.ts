// The other end of fetch-file.ts, on the node: a file from an offset on, compressed where that makes it smaller.

import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, zstdCompressSync } from 'node:zlib';
import { readError } from '../../base/errors.ts';

const CHUNK_BYTES = 1 << 20;

/** Fast: the network, and the node's processor, are what it is for. */
const LEVEL = 1;
const PARAMS = { [constants.ZSTD_c_compressionLevel]: LEVEL };

/** The first byte of what is sent says how the rest is. */
export const PACKED = 0x7a;
export const PLAIN = 0x70;

/** So much is looked at, and has to become so much smaller: what is encrypted does not. */
const SAMPLES = 16;
const SAMPLE_BYTES = 64 << 10;
const WORTHWHILE = 0.95;

/** @throws EtcdkeepError `file-failed` */
export async function sendFile(path: string, offset: number, to: Writable): Promise<void> {
  try {
    const isPacked = await packsWell(path, offset);
    to.write(Buffer.of(isPacked ? PACKED : PLAIN));
    const file = createReadStream(path, { start: offset, highWaterMark: CHUNK_BYTES });
    const packer = createZstdCompress({ chunkSize: CHUNK_BYTES, params: PARAMS });
    await (isPacked ? pipeline(file, packer, to) : pipeline(file, to));
  } catch (reason) {
    throw readError(reason, 'send the file', path);
  }
}

/** Pages that are unused are zero, and objects lie in the order of time: it is looked at everywhere. */
async function packsWell(path: string, offset: number): Promise<boolean> {
  const file = await open(path);
  try {
    const { size } = await file.stat();
    const step = Math.max(Math.floor((size - offset) / SAMPLES), SAMPLE_BYTES);
    let [before, after] = [0, 0];
    for (let at = offset; at < size; at += step) {
      const sample = await sampleOf(file, at);
      before += sample.length;
      after += zstdCompressSync(sample, { params: PARAMS }).length;
    }
    return after < before * WORTHWHILE;
  } finally {
    await file.close();
  }
}

async function sampleOf(file: FileHandle, at: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(SAMPLE_BYTES), 0, SAMPLE_BYTES, at);
  return buffer.subarray(0, bytesRead);
}
