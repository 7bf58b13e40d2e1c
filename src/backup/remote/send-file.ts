// The other end of fetch-file.ts, on the node: a file from an offset on, compressed where that makes it smaller.

import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { constants, createZstdCompress, zstdCompressSync } from 'node:zlib';
import { ALIGNMENT, AlignedMemory } from '../../base/aligned-memory.ts';
import { DirectReader } from '../../base/direct-reader.ts';
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
    await using file = await DirectReader.open(path);
    const buffers = twoBuffers();
    const isPacked = await packsWell(file, offset, buffers[0]);
    to.write(Buffer.of(isPacked ? PACKED : PLAIN));
    if (!isPacked) {
      await copy(file, offset, buffers, to);
      return;
    }
    const packer = createZstdCompress({ chunkSize: CHUNK_BYTES, params: PARAMS });
    const copied = copy(file, offset, buffers, packer).then(() => packer.end());
    await Promise.all([pipeline(packer, to), copied]);
  } catch (reason) {
    throw readError(reason, 'send the file', path);
  }
}

type Buffers = readonly [Buffer, Buffer];

/** New ones for each piece would cost as much as the reading. */
function twoBuffers(): Buffers {
  const memory = new AlignedMemory(ALIGNMENT + 2 * CHUNK_BYTES);
  const buffer = (): Buffer => memory.view(memory.reserve(CHUNK_BYTES), CHUNK_BYTES);
  return [buffer(), buffer()];
}

/** One buffer is filled while the other is on its way. */
async function copy(
  file: DirectReader,
  offset: number,
  buffers: Buffers,
  to: Writable,
): Promise<void> {
  const write = promisify((bytes: Buffer, done: (error?: Error | null) => void) =>
    to.write(bytes, done),
  );
  let [next, last] = buffers;
  let written = Promise.resolve();
  let isWhole = false;
  for (let skipped = offset % ALIGNMENT, at = offset - skipped; !isWhole; skipped = 0) {
    const length = await file.read(next, at);
    await written;
    written = write(next.subarray(skipped, length));
    // It is waited for once the next piece was read.
    written.catch(() => undefined);
    isWhole = length < CHUNK_BYTES;
    at += length;
    [next, last] = [last, next];
  }
  await written;
}

/** Pages that are unused are zero, and objects lie in the order of time: it is looked at everywhere. */
async function packsWell(file: DirectReader, offset: number, buffer: Buffer): Promise<boolean> {
  const step = Math.max(Math.floor((file.size - offset) / SAMPLES), SAMPLE_BYTES);
  const sample = buffer.subarray(0, SAMPLE_BYTES);
  let [before, after] = [0, 0];
  for (let at = offset; at < file.size; at += step) {
    const length = await file.read(sample, at - (at % ALIGNMENT));
    before += length;
    after += zstdCompressSync(sample.subarray(0, length), { params: PARAMS }).length;
  }
  return after < before * WORTHWHILE;
}
