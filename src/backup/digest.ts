// The SHA-256 that ends a snapshot: of everything before it (etcd, maintenance.go, Snapshot).

import { createHash, type Hash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { EtcdkeepError, readError } from '../base/errors.ts';

export const DIGEST_SIZE = 32;

/** Databases are multiples of it, whatever their pages; etcd tells by it that there is a digest. */
const SECTOR_SIZE = 512;

const CHUNK_SIZE = 1024 * 1024;

/** Whether a file of a size ends with a digest (client/v3/snapshot/v3_snapshot.go, hasChecksum). */
export function hasDigest(size: number): boolean {
  return size % SECTOR_SIZE === DIGEST_SIZE;
}

/**
 * Compares the digest at the end of a file with what is before it. A copy of a member's database has none.
 * @returns whether there is one
 * @throws EtcdkeepError `snapshot-damaged`, `file-failed`, and the signal's reason
 */
export async function compareDigest(
  path: string,
  size: number,
  signal: AbortSignal,
): Promise<boolean> {
  if (!hasDigest(size)) return false;
  const { hash, rest } = await hashOf(path, size - DIGEST_SIZE, signal);
  const computed = hash.digest('hex');
  const stored = rest.toString('hex');
  if (computed !== stored) throw digestDiffers(path, { stored, computed });
  return true;
}

/** The error of a snapshot whose bytes are not those that its digest was computed of. */
export function digestDiffers(
  path: string,
  { stored, computed }: { readonly stored: string; readonly computed: string },
): EtcdkeepError {
  const message = 'its digest is not that of what it holds: bytes were changed, or are missing';
  return new EtcdkeepError('snapshot-damaged', message, {
    path,
    facts: [
      ['digest', stored],
      ['holds', computed],
    ],
    advice: 'use another snapshot; --skip-hash-check goes on where the structure is sound',
  });
}

/**
 * Computes SHA-256 of the first bytes of a file.
 * @returns the hash, which can be gone on with, and the bytes behind them where a digest would be
 * @throws EtcdkeepError `file-failed`, and the signal's reason
 */
export async function hashOf(
  path: string,
  length: number,
  signal: AbortSignal,
): Promise<{ readonly hash: Hash; readonly rest: Buffer }> {
  const hash = createHash('sha256');
  const chunk = Buffer.allocUnsafe(CHUNK_SIZE);
  try {
    await using file = await open(path, 'r');
    for (let offset = 0; offset < length; ) {
      signal.throwIfAborted();
      const wanted = Math.min(chunk.length, length - offset);
      const { bytesRead } = await file.read(chunk, 0, wanted, offset);
      if (bytesRead === 0) throw new Error('it became shorter while it was read');
      hash.update(chunk.subarray(0, bytesRead));
      offset += bytesRead;
    }
    const { bytesRead } = await file.read(chunk, 0, DIGEST_SIZE, length);
    return { hash, rest: Buffer.from(chunk.subarray(0, bytesRead)) };
  } catch (reason) {
    throw readError(reason, 'read the file', path);
  }
}
